// SPDX-License-Identifier: Apache-2.0
// Long because the room that it plays stands with what an attendant does there.
// An attendant whose room and audio output the test plays; time is Jest's.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { TrackPublishOptions } from '@livekit/rtc-node';
import type { AttendantTask } from '../../../agent/src/line/attendant-messages.js';
import { FakeAudioSource } from '../../support/fake-audio-source.js';

const rtc = await import('@livekit/rtc-node');
const { DisconnectReason, ParticipantKind, RoomEvent, TrackKind, TrackSource } = rtc;

interface Member {
  identity: string;
  info: { kind: number };
  attributes: Record<string, string>;
  trackPublications: Map<string, { kind: number }>;
}

const RATE = 8_000;
const WORD = 9_000;
const MUSIC = 500;

let room: FakeRoom;
/** What becomes of the next connection. */
let connecting: Promise<void>;
/** What becomes of the next wait for somebody who subscribes. */
let subscribed: Promise<void>;
const published: { track: string; source: unknown; bitrate: unknown }[] = [];

class FakeRoom extends EventEmitter {
  isConnected = false;
  left = 0;
  connectedWith: unknown[] = [];
  readonly remoteParticipants = new Map<string, Member>();
  onText: (reader: { readAll(): Promise<string> }, from: { identity: string }) => Promise<void> =
    async () => {};
  readonly localParticipant = {
    publishTrack: async (track: string, { source, audioEncoding }: TrackPublishOptions) => {
      published.push({ track, source, bitrate: audioEncoding?.maxBitrate });
      return { waitForSubscription: () => subscribed };
    },
  };

  constructor() {
    super();
    room = this;
    for (const one of waiting) this.remoteParticipants.set(one.identity, one);
  }
  registerTextStreamHandler(_topic: string, handler: FakeRoom['onText']) {
    this.onText = handler;
  }
  connect = async (...how: unknown[]) => {
    this.connectedWith = how;
    await connecting;
    this.isConnected = true;
  };
  disconnect = async () => {
    this.left += 1;
    this.isConnected = false;
  };
}

jest.unstable_mockModule('@livekit/rtc-node', () => ({
  ...rtc,
  Room: FakeRoom,
  AudioSource: FakeAudioSource,
  LocalAudioTrack: { createAudioTrack: (name: string) => name },
}));
const { Attendant } = await import('../../../agent/src/line/attendant.js');

/** Who is in the room when the attendant joins. */
const waiting: Member[] = [];
const member = (identity: string, kind = ParticipantKind.STANDARD): Member => ({
  ...{ identity, info: { kind } },
  ...{ attributes: {}, trackPublications: new Map() },
});
const agent = (state?: string) => {
  const one = member('agent-AJ_1', ParticipantKind.AGENT);
  if (state) one.attributes['lk.agent.state'] = state;
  one.trackPublications.set('TR', { kind: TrackKind.KIND_AUDIO });
  return one;
};
const join = (one: Member) => {
  room.remoteParticipants.set(one.identity, one);
  room.emit(RoomEvent.ParticipantConnected, one);
};
const leave = (identity: string) => {
  room.remoteParticipants.delete(identity);
  room.emit(RoomEvent.ParticipantDisconnected, {});
};

const TASK: AttendantTask = {
  ...{ room: 'hall', callers: ['ann', 'bob'], part: 'wait', speak: true },
  ...{ url: 'ws://livekit', token: 'token' },
};
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
let spokeAt: number | undefined;

/** Sends an attendant; it says words of one second. */
async function attend(more: Partial<AttendantTask> = {}) {
  const startedAt = Date.now();
  spokeAt = undefined;
  const attendant = new Attendant(
    { ...TASK, ...more },
    {
      agentName: '',
      words: { sampleRate: RATE, samples: new Int16Array(RATE).fill(WORD) },
      music: new Int16Array(1).fill(more.part === 'turn_away' ? 0 : MUSIC),
      onSpeaking: () => {
        spokeAt = Date.now() - startedAt;
      },
    },
  );
  let outcome: string | undefined;
  void attendant.run().then((how) => {
    outcome = how;
  });
  await pass(0);
  return { attendant, outcome: () => outcome };
}
const heardWords = () => FakeAudioSource.played.filter((sample) => sample >= WORD).length;

beforeEach(() => {
  jest.useFakeTimers();
  connecting = Promise.resolve();
  subscribed = Promise.resolve();
  FakeAudioSource.reset();
  published.length = 0;
  waiting.splice(0, waiting.length, member('ann'));
});
afterEach(() => {
  jest.useRealTimers();
});

describe('an attendant', () => {
  it('joins without hearing anybody, and says the words once somebody listens, over music', async () => {
    const { outcome } = await attend();
    expect(room.connectedWith).toEqual([
      'ws://livekit',
      'token',
      { autoSubscribe: false, dynacast: false },
    ]);
    expect(published).toEqual([
      { track: 'waiting-line', source: TrackSource.SOURCE_MICROPHONE, bitrate: 64_000n },
    ]);
    await pass(100);
    expect(spokeAt).toBe(100);
    await pass(10_000);
    expect(heardWords()).toBe(RATE);
    // Music goes on after them, at its level.
    expect(FakeAudioSource.played.at(-1)).toBe(MUSIC);
    expect(outcome()).toBeUndefined();
    await pass(60_000);
    expect(heardWords()).toBe(2 * RATE);
  });

  it('does not wait for long for whoever subscribes to nothing', async () => {
    subscribed = new Promise(() => {});
    await attend();
    await pass(1_299);
    expect(spokeAt).toBeUndefined();
    await pass(1);
    expect(spokeAt).toBe(1_300);
  });

  it('plays only music for a minute to those who have heard the words', async () => {
    await attend({ speak: false });
    await pass(59_000);
    expect([spokeAt, heardWords()]).toEqual([undefined, 0]);
    await pass(5_000);
    expect(heardWords()).toBe(RATE);
  });

  it('leaves when an agent speaks; the music fades out', async () => {
    const { outcome } = await attend();
    await pass(10_000);
    join(agent('speaking'));
    const before = FakeAudioSource.played.length;
    await pass(1_000);
    expect(outcome()).toBe('answered');
    expect([room.left, FakeAudioSource.open]).toEqual([1, 0]);
    const fade = FakeAudioSource.played.slice(before).slice(-0.15 * RATE);
    expect(fade[0]).toBeGreaterThan(0.9 * MUSIC);
    expect(fade.at(-1)).toBeLessThan(0.01 * MUSIC);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('stays while an agent only comes, as long as that may take', async () => {
    const { outcome } = await attend();
    const one = agent('listening');
    one.trackPublications.clear();
    join(one);
    await pass(14_000);
    expect(outcome()).toBeUndefined();
    await pass(2_000);
    expect(outcome()).toBe('answered');
  });

  it.each([
    ['speaks first has not begun to', true, 7_900, 8_400],
    ['does not speak first listens', false, 0, 400],
    ['has not said so listens', undefined, 2_900, 3_400],
  ])('stays until an agent that %s', async (_, greets, still, gone) => {
    const { outcome } = await attend();
    join(agent('listening'));
    const event = { type: 'ready', at: 1, greets };
    if (greets !== undefined)
      await room.onText({ readAll: async () => JSON.stringify(event) }, { identity: 'agent-AJ_1' });
    await pass(still);
    expect(outcome()).toBeUndefined();
    await pass(gone - still);
    expect(outcome()).toBe('answered');
  });

  it('believes no other text, and none that breaks off', async () => {
    const { outcome } = await attend();
    join(agent('listening'));
    const from = { identity: 'agent-AJ_1' };
    await room.onText({ readAll: () => Promise.reject(new Error('gone')) }, from);
    await room.onText({ readAll: async () => '{"type":"ended","at":1,"greets":false}' }, from);
    await room.onText(
      { readAll: async () => '{"type":"ready","at":1,"greets":false}' },
      { identity: 'x' },
    );
    await pass(2_000);
    expect(outcome()).toBeUndefined();
  });

  it.each([
    ['a state', RoomEvent.ParticipantAttributesChanged],
    ['audio', RoomEvent.TrackPublished],
  ])('notices that an agent has got %s', async (_, event) => {
    const { outcome } = await attend();
    const one = agent();
    one.trackPublications.clear();
    join(one);
    await pass(1_000);
    Object.assign(one, agent('speaking'));
    room.emit(event, {});
    await pass(400);
    expect(outcome()).toBe('answered');
  });

  it('does not come at all when an agent was faster', async () => {
    waiting.push(agent());
    const { outcome } = await attend();
    await pass(400);
    expect(outcome()).toBe('answered');
    expect(published).toEqual([]);
    expect(room.left).toBe(1);
  });

  it.each([
    ['another attendant', member('waiting-line', ParticipantKind.AGENT)],
    ['a person', { ...agent('speaking'), info: { kind: ParticipantKind.STANDARD } }],
    ['an agent of another service', { ...agent('speaking'), attributes: { 'lk.agent_name': 'x' } }],
  ])('leaves the caller to no %s', async (_, other) => {
    const { outcome } = await attend();
    join({ ...other, trackPublications: new Map([['TR', { kind: TrackKind.KIND_AUDIO }]]) });
    await pass(20_000);
    expect(outcome()).toBeUndefined();
  });

  it('leaves when the last caller has hung up, whoever else is there', async () => {
    waiting.push(member('bob'), member('recorder'));
    const { outcome } = await attend();
    leave('ann');
    await pass(1_000);
    expect(outcome()).toBeUndefined();
    leave('bob');
    await pass(400);
    expect(outcome()).toBe('gave_up');
    expect(room.left).toBe(1);
  });

  it('leaves when it is called back', async () => {
    const { attendant, outcome } = await attend();
    await pass(5_000);
    attendant.leave();
    await pass(400);
    expect([outcome(), room.left]).toEqual(['left', 1]);
    const played = FakeAudioSource.played.length;
    await pass(5_000);
    expect(FakeAudioSource.played.length).toBe(played);
  });

  it('that is called back while it joins says nothing, and does not stay', async () => {
    let connect = () => {};
    connecting = new Promise((resolve) => {
      connect = resolve;
    });
    const { attendant, outcome } = await attend();
    attendant.leave();
    await pass(400);
    expect(outcome()).toBe('left');
    connect();
    await pass(400);
    expect(room.isConnected).toBe(false);
    expect(published).toEqual([]);
  });

  it('reports that LiveKit could not be reached', async () => {
    connecting = Promise.reject(new Error('refused'));
    const { outcome } = await attend();
    await pass(400);
    expect(outcome()).toBe('failed');
  });

  it('reports its end although its client, which reconnects, never says that it has left', async () => {
    const { attendant, outcome } = await attend();
    room.disconnect = () => new Promise<void>(() => {});
    await pass(1_000);
    attendant.leave();
    await pass(6_000);
    expect(outcome()).toBe('left');
  });

  it('leaves also when what it plays goes nowhere any more', async () => {
    const { attendant, outcome } = await attend();
    await pass(1_000);
    FakeAudioSource.broken = true;
    await pass(1_000);
    attendant.leave();
    await pass(400);
    expect(outcome()).toBe('left');
    expect(FakeAudioSource.open).toBe(0);
  });

  it.each([
    [DisconnectReason.DUPLICATE_IDENTITY, 'replaced'],
    [DisconnectReason.PARTICIPANT_REMOVED, 'left'],
    [DisconnectReason.ROOM_DELETED, 'gave_up'],
    [DisconnectReason.ROOM_CLOSED, 'gave_up'],
    [DisconnectReason.SERVER_SHUTDOWN, 'failed'],
  ])('reports why LiveKit removed it: %i is %s', async (reason, expected) => {
    const { outcome } = await attend();
    room.emit(RoomEvent.Disconnected, reason);
    // Nobody is there any more, which is not why.
    room.remoteParticipants.clear();
    room.emit(RoomEvent.ParticipantDisconnected, {});
    await pass(400);
    expect(outcome()).toBe(expected);
  });
});

describe('an attendant that turns callers away', () => {
  it('says the words without music, and leaves when they have been heard', async () => {
    const { outcome } = await attend({ part: 'turn_away' });
    // Subscription, words of a second, and until they are heard.
    await pass(100 + 1_000 + 599);
    expect(outcome()).toBeUndefined();
    await pass(1 + 350);
    expect(outcome()).toBe('turned_away');
    expect(heardWords()).toBe(RATE);
    expect(FakeAudioSource.played.filter((sample) => sample !== 0 && sample !== WORD)).toEqual([]);
  });

  it('is not asked to say anything twice when an agent comes after all', async () => {
    const { outcome } = await attend({ part: 'turn_away' });
    await pass(500);
    join(agent('speaking'));
    await pass(5_000);
    expect(outcome()).toBe('answered');
  });
});
