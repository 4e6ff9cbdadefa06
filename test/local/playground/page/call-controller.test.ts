// SPDX-License-Identifier: Apache-2.0
// Long because it goes through every way in which a call begins, is disturbed and ends.

import { afterEach, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { RoomConnectionEvents } from '../../../../local/playground/page/room-connection.js';
import type { Target } from '../../../../local/playground/page/target.js';
import { browserWindow } from './browser.js';

/** What the parts of the call were told, in order. */
const log: string[] = [];
let room: {
  events: RoomConnectionEvents;
  agentPresent: boolean;
  waiting: boolean;
  turnedAway: boolean;
  connect: () => Promise<void>;
  setSpeaker: (id: string) => Promise<void>;
};
let openMicrophone: () => Promise<void>;
let createCall: () => Promise<unknown>;
let fetchTarget: () => Promise<Target>;
let recorderEvents: { onLevels(levels: { you: number; agent: number }): void };
let problem: object | undefined;

jest.unstable_mockModule('../../../../local/playground/page/room-connection.js', () => ({
  RoomConnection: class {
    agentPresent = false;
    waiting = false;
    turnedAway = false;
    constructor(readonly events: RoomConnectionEvents) {
      room = this;
    }
    connect = async () => void log.push('connect');
    publish = async ({ id }: { id: string }) => void log.push(`publish ${id}`);
    hangUp = async () => void log.push('leave room');
    sendText = async (text: string) => void log.push(`send ${text}`);
    setSpeaker = async (id: string) => void log.push(`speaker ${id}`);
    emitAgentState() {
      if (this.agentPresent) this.events.onAgentState('listening', 'agent-1');
    }
  },
}));
jest.unstable_mockModule('../../../../local/playground/page/microphone.js', () => ({
  Microphone: {
    open: async (id: string) => {
      await openMicrophone();
      log.push(`open microphone ${id}`);
      return {
        track: { id: 'track' },
        close: () => void log.push('close microphone'),
        transmit: (on: boolean) => void log.push(`transmit ${on}`),
        mute: async (muted: boolean) => void log.push(`mute ${muted}`),
        switchDevice: async (to: string) => void log.push(`switch to ${to}`),
        checkLevel: () => problem,
      };
    },
  },
}));
jest.unstable_mockModule('../../../../local/playground/page/call-recorder.js', () => ({
  CallRecorder: {
    open: async (events: typeof recorderEvents) => {
      recorderEvents = events;
      return {
        seconds: 2,
        setTrack: () => {},
        stop: () => void log.push('stop recorder'),
        toWav: () => 'wav',
      };
    },
  },
}));
jest.unstable_mockModule('../../../../local/playground/page/api.js', () => ({
  createCall: () => createCall(),
  fetchTarget: () => fetchTarget(),
}));
jest.unstable_mockModule('livekit-client', () => ({
  DisconnectReason: { CLIENT_INITIATED: 1, SERVER_SHUTDOWN: 3 },
  ConnectionError: class extends Error {},
  ConnectionErrorReason: {},
}));
/** What this tab hears of the others. */
let onOtherTabs: (inCall: boolean) => void = () => {};
jest.unstable_mockModule('../../../../local/playground/page/other-tabs.js', () => ({
  OtherTabs: class {
    constructor(onChange: (inCall: boolean) => void) {
      onOtherTabs = onChange;
    }
    setInCall = (inCall: boolean) => void tabs.push(inCall);
  },
}));
const tabs: boolean[] = [];
const { callController } = await import('../../../../local/playground/page/call-controller.js');
const { devices } = await import('../../../../local/playground/page/devices.js');
const { pageState } = await import('../../../../local/playground/page/page-state.js');

const target: Target = { kind: 'emulator', name: 'e', livekit: 'l', agentName: '' };
const shown = () => pageState.get().problems.map(({ id }) => id);
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
/** How a call ends, whatever ended it. */
const ENDED = ['close microphone', 'stop recorder'];

/** Calls, and the agent answers. */
async function call() {
  await callController.call();
  room.agentPresent = true;
  room.events.onAgentState('listening', 'agent-1');
}

beforeEach(() => {
  jest.useFakeTimers();
  openMicrophone = async () => {};
  createCall = async () => ({ url: 'ws', token: 't', room: 'r' });
  fetchTarget = async () => target;
  problem = undefined;
  pageState.merge({ target });
});
afterEach(async () => {
  await callController.hangUp();
  callController.setPushToTalk(false);
  jest.useRealTimers();
  log.length = 0;
});

describe('the page', () => {
  // Once, as when it is loaded.
  beforeAll(async () => {
    fetchTarget = async () => target;
    await callController.start();
  });
  beforeEach(() => {
    tabs.length = 0;
  });

  it('tells the other tabs of its call, and of the end of it', async () => {
    await call();
    expect(tabs).toEqual([true]);
    await callController.hangUp();
    expect(tabs).toEqual([true, false]);
  });

  it('warns of a call in another tab, during one of its own', async () => {
    onOtherTabs(true);
    expect(shown()).not.toContain('tab');
    await call();
    onOtherTabs(true);
    expect(shown()).toContain('tab');
    onOtherTabs(false);
    expect(shown()).not.toContain('tab');
  });

  it('keeps the call when it is left during it, hangs up, and shows it when it is loaded again', async () => {
    await call();
    log.length = 0;
    browserWindow.dispatchEvent(new Event('pagehide'));
    expect(log).toEqual(['leave room']);
    const startedAt = pageState.get().call?.startedAt;
    await callController.hangUp();
    pageState.merge({ call: undefined, phase: 'idle' });
    await callController.start();
    expect(pageState.get()).toMatchObject({ phase: 'ended', call: { startedAt } });
    expect(pageState.get().call?.endedAt).toBeDefined();
    expect(shown()).toContain('call');
    // Once.
    pageState.merge({ call: undefined, phase: 'idle' });
    await callController.start();
    expect(pageState.get().call).toBeUndefined();
  });

  it('says so when the command that serves it has stopped', async () => {
    fetchTarget = () => Promise.reject(new TypeError('refused'));
    await callController.start();
    expect(shown()).toContain('call');
  });

  it('plays by the speaker that was chosen before, and says so when it is gone', async () => {
    devices.merge({ speaker: 'usb' });
    try {
      await call();
      expect(log).toContain('speaker usb');
      room.setSpeaker = () => Promise.reject(new Error('unplugged'));
      await callController.selectSpeaker('usb');
      expect(shown()).toContain('speaker');
    } finally {
      devices.merge({ speaker: '' });
    }
  });
});

describe('CallController', () => {
  it('opens the microphone, joins the room and publishes it there', async () => {
    await call();
    expect(log).toEqual(['open microphone ', 'connect', 'publish track']);
    expect(pageState.get()).toMatchObject({ phase: 'listening', inCall: true, microphone: true });
    await callController.call();
    expect(log).toHaveLength(3);
  });

  describe('while all lines are taken', () => {
    const wait = (waiting: boolean) => {
      room.waiting = waiting;
      room.events.onWaiting(waiting);
    };

    it('it says so, and reports no missing agent, until one comes', async () => {
      await callController.call();
      wait(true);
      expect(pageState.get().phase).toBe('waiting');
      await pass(60_000);
      expect(shown()).toEqual([]);
      room.agentPresent = true;
      room.events.onAgentState('speaking', 'agent-1');
      wait(false);
      expect(pageState.get().phase).toBe('speaking');
    });

    it('it says that nobody can answer to whom the line turned away', async () => {
      await callController.call();
      room.turnedAway = true;
      wait(true);
      room.events.onDisconnected(5);
      expect(pageState.get().problems).toMatchObject([{ title: 'Nobody can answer now' }]);
    });

    it('nobody hangs up on a caller who waits for another agent', async () => {
      await call();
      log.length = 0;
      room.agentPresent = false;
      room.events.onAgentLeft();
      wait(true);
      await pass(60_000);
      expect(log).toEqual([]);
      expect(pageState.get().phase).toBe('waiting');
    });

    it('an agent is missing again when nobody keeps the caller company any more', async () => {
      await callController.call();
      wait(true);
      await pass(30_000);
      wait(false);
      expect(pageState.get().phase).toBe('connecting');
      await pass(10_000);
      expect(shown()).toEqual(['agent']);
    });
  });

  describe('the microphone is closed', () => {
    it('when the user hangs up', async () => {
      await call();
      log.length = 0;
      await callController.hangUp();
      expect(log).toEqual([...ENDED, 'leave room']);
      expect(pageState.get()).toMatchObject({
        phase: 'ended',
        inCall: false,
        microphone: false,
        recorded: true,
      });
      expect(callController.recording()).toBe('wav');
      await callController.hangUp();
      expect(log).toHaveLength(3);
    });

    it('when LiveKit ends the call', async () => {
      await call();
      log.length = 0;
      room.events.onDisconnected(3);
      expect(log).toEqual(ENDED);
      expect(shown()).toEqual(['call']);
    });

    it('when the agent has left and does not come back', async () => {
      await call();
      log.length = 0;
      room.agentPresent = false;
      room.events.onAgentLeft();
      await pass(2_499);
      expect(log).toEqual([]);
      await pass(1);
      expect(log).toEqual([...ENDED, 'leave room']);
      expect(shown()).toEqual(['call']);
    });

    it('when the room cannot be joined', async () => {
      const calling = callController.call();
      room.connect = () => Promise.reject(new Error('no'));
      await calling;
      expect(log).toEqual(['open microphone ', ...ENDED, 'leave room']);
      expect(pageState.get()).toMatchObject({ phase: 'idle', inCall: false, recorded: false });
    });

    it('when the user allows it only after hanging up', async () => {
      let allow: () => void = () => {};
      openMicrophone = () => new Promise((resolve) => (allow = resolve));
      const calling = callController.call();
      await pass(0);
      await callController.hangUp();
      allow();
      await calling;
      expect(log).toEqual(['stop recorder', 'leave room', 'open microphone ', 'close microphone']);
      expect(pageState.get().microphone).toBe(false);
    });
  });

  it('is never opened when the call cannot be made', async () => {
    createCall = () => Promise.reject(new TypeError('no server'));
    await callController.call();
    expect(log).toEqual(['stop recorder', 'leave room']);
    expect(shown()).toEqual(['call']);
  });

  it('lets the user type when there is no microphone, and try again', async () => {
    openMicrophone = () => Promise.reject(new Error('in use'));
    await call();
    expect(shown()).toContain('microphone');
    await callController.sendText('Hello');
    openMicrophone = async () => {};
    await callController.openMicrophone();
    expect(log).toEqual(['connect', 'send Hello', 'open microphone ', 'publish track']);
    expect(shown()).toEqual([]);
  });

  describe('a lost connection', () => {
    const lose = () => room.events.onConnection('lost');
    const restore = () => room.events.onConnection('restored');

    it('ends no call, however long it takes, although the agent seems to be gone', async () => {
      await call();
      log.length = 0;
      lose();
      room.agentPresent = false;
      room.events.onAgentLeft();
      await pass(60_000);
      expect(log).toEqual([]);
      expect(pageState.get().phase).toBe('reconnecting');
      expect(shown()).toEqual(['connection']);
      room.agentPresent = true;
      restore();
      await pass(60_000);
      expect(log).toEqual([]);
      expect(pageState.get().phase).toBe('listening');
      expect(shown()).toEqual([]);
    });

    it('ends no call when the agent had left a moment before', async () => {
      await call();
      log.length = 0;
      room.agentPresent = false;
      room.events.onAgentLeft();
      await pass(1_000);
      lose();
      await pass(60_000);
      expect(log).toEqual([]);
    });

    it('ends it when the agent is not there ten seconds after it is restored', async () => {
      await call();
      log.length = 0;
      lose();
      room.agentPresent = false;
      restore();
      await pass(9_999);
      expect(log).toEqual([]);
      await pass(1);
      expect(log).toEqual([...ENDED, 'leave room']);
    });

    it('ends it at once when the command that serves the page has stopped', async () => {
      await call();
      log.length = 0;
      fetchTarget = () => Promise.reject(new TypeError('refused'));
      lose();
      await pass(0);
      expect(log).toEqual([...ENDED, 'leave room']);
      expect(shown()).toEqual(['call']);
    });

    it('does not ask for that command where the service is deployed', async () => {
      pageState.merge({ target: { ...target, kind: 'stack' } });
      await call();
      log.length = 0;
      fetchTarget = () => Promise.reject(new TypeError('refused'));
      lose();
      await pass(60_000);
      expect(log).toEqual([]);
    });

    it('shows no state of the agent while it is lost', async () => {
      await call();
      lose();
      room.events.onAgentState('speaking', 'agent-1');
      expect(pageState.get().phase).toBe('reconnecting');
    });
  });

  it('says so when no agent has joined, and goes on when one does', async () => {
    await callController.call();
    await pass(9_999);
    expect(shown()).toEqual([]);
    await pass(1);
    expect(shown()).toEqual(['agent']);
    room.agentPresent = true;
    room.events.onAgentState('idle', 'agent-1');
    expect(shown()).toEqual([]);
    expect(pageState.get().phase).toBe('listening');
  });

  it('says so when another agent has taken over', async () => {
    await call();
    room.events.onAgentState('listening', 'agent-2');
    expect(shown()).toEqual(['agent']);
  });

  it('mutes, and talks only while the button is held', async () => {
    await call();
    log.length = 0;
    await callController.mute(true);
    callController.setPushToTalk(true);
    callController.setTalking(true);
    callController.setTalking(true);
    callController.setTalking(false);
    expect(log).toEqual(['mute true', 'transmit false', 'transmit true', 'transmit false']);
    callController.setPushToTalk(false);
    callController.setTalking(true);
    expect(log.slice(4)).toEqual(['transmit true']);
  });

  it('warns of a silent microphone only while the agent listens', async () => {
    await call();
    problem = { id: 'silent' };
    recorderEvents.onLevels({ you: 0, agent: 0 });
    expect(shown()).toEqual(['silent']);
    problem = undefined;
    recorderEvents.onLevels({ you: 0.5, agent: 0 });
    expect(shown()).toEqual([]);
    room.events.onAgentState('speaking', 'agent-1');
    problem = { id: 'silent' };
    recorderEvents.onLevels({ you: 0, agent: 0 });
    expect(shown()).toEqual([]);
  });

  it('forgets the call before when the next one begins', async () => {
    await call();
    await callController.hangUp();
    createCall = () => new Promise(() => {});
    void callController.call();
    await pass(0);
    expect(pageState.get()).toMatchObject({ phase: 'connecting', recorded: false, problems: [] });
    expect(pageState.get().call?.answeredAt).toBeUndefined();
  });
});
