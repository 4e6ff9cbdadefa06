// SPDX-License-Identifier: Apache-2.0
// Long because the room that it plays stands with everything that the page does there.
// The page's side of a LiveKit room: who is the agent, what is heard, and what a lost connection loses.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { browserWindow } from './browser.js';

type Handler = (reader: FakeReader, info: { identity: string }) => Promise<void>;
interface FakeReader extends AsyncIterable<string> {
  info: { id: string; attributes?: Record<string, string> };
  readAll(): Promise<string>;
}
interface Participant {
  identity: string;
  kind: string;
  attributes: Record<string, string>;
  trackPublications: { size: number };
}

/** What was sent into the room, in order. */
const sent: { text: string; topic: string; destinationIdentities?: string[] }[] = [];
const published: unknown[] = [];
let room: FakeRoom;

class FakeRoom extends EventEmitter {
  state = 'disconnected';
  canPlaybackAudio = true;
  left = 0;
  speaker: unknown;
  readonly remoteParticipants = new Map<string, Participant>();
  readonly handlers = new Map<string, Handler>();
  readonly localParticipant = {
    identity: 'me',
    publishTrack: async (...track: unknown[]) => void published.push(track),
    sendText: async (text: string, options: { topic: string }) =>
      void sent.push({ text, ...options }),
  };

  constructor(readonly options: object) {
    super();
    room = this;
  }
  registerTextStreamHandler(topic: string, handler: Handler) {
    this.handlers.set(topic, handler);
  }
  connect = async () => {
    this.state = 'connected';
  };
  startAudio = async () => {};
  switchActiveDevice = async (...device: unknown[]) => {
    this.speaker = device;
  };
  disconnect = async () => {
    this.left += 1;
  };
}

jest.unstable_mockModule('livekit-client', () => ({
  ConnectionState: { Connected: 'connected' },
  DisconnectReason: {},
  ParticipantKind: { AGENT: 'agent' },
  Room: FakeRoom,
  RoomEvent: new Proxy({}, { get: (_, name) => name }),
  Track: { Kind: { Audio: 'audio' }, Source: { Microphone: 'microphone' } },
}));
const { RoomConnection } = await import('../../../../local/playground/page/room-connection.js');

/** Audio elements that are on the page. */
const onPage = new Set<object>();
Object.assign(globalThis, {
  document: { body: { append: (element: object) => onPage.add(element) } },
});

let connection: InstanceType<typeof RoomConnection>;
/** What the page was told, in order. */
const told: unknown[][] = [];
const toldOf = (what: string) => told.filter(([name]) => name === what).map(([, ...rest]) => rest);
const actions = (kind: string) =>
  toldOf('action')
    .map(([action]) => action as Record<string, unknown>)
    .filter((action) => action.kind === kind);
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

function agent(identity: string, attributes: Record<string, string> = {}): Participant {
  return { identity, kind: 'agent', attributes, trackPublications: { size: 0 } };
}
const attendant = (attribute = 'waiting') =>
  agent('waiting-line', { 'nova-sonic.waiting-line': attribute });
function join(participant: Participant) {
  room.remoteParticipants.set(participant.identity, participant);
  room.emit('ParticipantConnected', participant);
  return participant;
}
function leave(participant: Participant) {
  room.remoteParticipants.delete(participant.identity);
  room.emit('ParticipantDisconnected', participant);
}
/** A text stream that arrives. */
function receive(
  topic: string,
  parts: string[],
  { from = 'agent-1', attributes = {}, breaks = false } = {},
) {
  const reader: FakeReader = {
    info: { id: 'stream', attributes },
    readAll: async () => parts.join(''),
    async *[Symbol.asyncIterator]() {
      yield* parts;
      if (breaks) throw new Error('the sender has left');
    },
  };
  return room.handlers.get(topic)?.(reader, { identity: from });
}
const event = (seq: number, more: object = {}) =>
  receive('nova-sonic.call', [
    JSON.stringify({ type: 'error', at: 1, seq, message: `${seq}`, ...more }),
  ]);
const messages = () =>
  actions('call_event').map((action) => (action.event as { message?: string }).message);
/** Where a track of the room is played. */
function track(kind = 'audio') {
  const element = { hidden: false, remove: () => onPage.delete(element) };
  return { kind, attach: () => element, detach: () => [element], mediaStreamTrack: { kind } };
}

beforeEach(async () => {
  jest.useFakeTimers();
  for (const list of [sent, published, told]) list.length = 0;
  onPage.clear();
  connection = new RoomConnection({
    onAction: (action) => told.push(['action', action]),
    onAgentState: (...state) => told.push(['agent', ...state]),
    onAgentLeft: () => told.push(['agent left']),
    onWaiting: (waiting) => told.push(['waiting', waiting]),
    onAgentTrack: (one) => told.push(['track', one]),
    onConnection: (state) => told.push(['connection', state]),
    onPlaybackBlocked: (blocked) => told.push(['blocked', blocked]),
    onDisconnected: (reason) => told.push(['disconnected', reason]),
  });
  await connection.connect({ url: 'ws', token: 't', room: 'r' });
});
afterEach(async () => {
  await connection.hangUp();
  jest.useRealTimers();
});

describe('RoomConnection', () => {
  it('sends the microphone’s silence as audio: by it the model knows the end of a turn', async () => {
    await connection.publish({ id: 'track' } as never);
    expect(published).toEqual([
      [{ id: 'track' }, { source: 'microphone', dtx: false, red: false }],
    ]);
  });

  it('plays by the speaker that was chosen, or the default one', async () => {
    await connection.setSpeaker('usb');
    expect(room.speaker).toEqual(['audiooutput', 'usb']);
    await connection.setSpeaker('');
    expect(room.speaker).toEqual(['audiooutput', 'default']);
  });

  it('finds an agent that was there before, and none in people', async () => {
    room.remoteParticipants.set('bob', { ...agent('bob'), kind: 'standard' });
    await connection.connect({ url: 'ws', token: 't', room: 'r' });
    expect(connection.agentPresent).toBe(false);
    room.remoteParticipants.set('agent-1', agent('agent-1'));
    await connection.connect({ url: 'ws', token: 't', room: 'r' });
    expect(toldOf('agent')).toEqual([['initializing', 'agent-1']]);
    expect(connection.agentPresent).toBe(true);
  });

  it('tells each state of its agent, and none of another participant', () => {
    const one = join(agent('agent-1'));
    const bob = join({ ...agent('bob'), kind: 'standard' });
    one.attributes['lk.agent.state'] = 'listening';
    room.emit('ParticipantAttributesChanged', {}, one);
    bob.attributes['lk.agent.state'] = 'speaking';
    room.emit('ParticipantAttributesChanged', {}, bob);
    expect(toldOf('agent')).toEqual([
      ['initializing', 'agent-1'],
      ['listening', 'agent-1'],
    ]);
  });

  it('tells that the agent left, and why it ended the call', () => {
    const one = join(agent('agent-1', { 'nova-sonic.ended': 'end_call_tool' }));
    leave(join({ ...agent('bob'), kind: 'standard' }));
    expect(toldOf('agent left')).toEqual([]);
    leave(one);
    expect(actions('agent_left')).toMatchObject([{ reason: 'end_call_tool' }]);
    expect(toldOf('agent left')).toHaveLength(1);
    expect(connection.agentPresent).toBe(false);
  });

  it('goes on with another agent that is there already when one leaves', () => {
    const one = join(agent('agent-1', { 'lk.agent.state': 'listening' }));
    join(agent('agent-2'));
    leave(one);
    expect(toldOf('agent left')).toEqual([]);
    expect(toldOf('agent').at(-1)).toEqual(['initializing', 'agent-2']);
  });

  describe('the waiting line', () => {
    it('is no agent, and its end is told', () => {
      const one = join(attendant());
      expect([connection.waiting, connection.turnedAway, connection.agentPresent]).toEqual([
        true,
        false,
        false,
      ]);
      leave(one);
      expect(toldOf('waiting')).toEqual([[true], [false]]);
      expect(connection.waiting).toBe(false);
      expect(toldOf('agent left')).toEqual([]);
    });

    it('tells who was turned away', () => {
      join(attendant('turned_away'));
      expect(connection.turnedAway).toBe(true);
    });

    it('is heard, but not measured as the agent', () => {
      const music = track();
      room.emit('TrackSubscribed', music, {}, attendant());
      expect(onPage.size).toBe(1);
      room.emit('TrackUnsubscribed', music, {}, attendant());
      expect(onPage.size).toBe(0);
      expect(toldOf('track')).toEqual([]);
    });
  });

  describe('what is heard', () => {
    it('is the agent’s audio, until its track ends', () => {
      const voice = track();
      room.emit('TrackSubscribed', voice, {}, agent('agent-1'));
      expect(onPage.size).toBe(1);
      expect(toldOf('track')).toEqual([[voice.mediaStreamTrack]]);
      room.emit('TrackUnsubscribed', voice, {}, agent('agent-1'));
      expect(onPage.size).toBe(0);
      expect(toldOf('track')).toEqual([[voice.mediaStreamTrack], [undefined]]);
    });

    it('is no video', () => {
      room.emit('TrackSubscribed', track('video'), {}, agent('agent-1'));
      expect([onPage.size, toldOf('track')]).toEqual([0, []]);
    });

    it('ends with the call, which LiveKit does not say of each track', async () => {
      room.emit('TrackSubscribed', track(), {}, agent('agent-1'));
      await connection.hangUp();
      expect(onPage.size).toBe(0);
      expect(room.left).toBe(1);
    });

    it('is told to be blocked until the browser allows it', () => {
      room.canPlaybackAudio = false;
      room.emit('AudioPlaybackStatusChanged');
      room.canPlaybackAudio = true;
      room.emit('AudioPlaybackStatusChanged');
      expect(toldOf('blocked')).toEqual([[true], [false]]);
    });
  });

  describe('the events of the call', () => {
    it('are delivered once and in their order', async () => {
      join(agent('agent-1'));
      await event(1);
      await event(0);
      await event(1);
      expect(messages()).toEqual(['0', '1']);
    });

    it('are nothing that anybody else publishes there', async () => {
      await receive('nova-sonic.call', ['no json']);
      await receive('nova-sonic.call', ['{"seq":0}']);
      expect(told).toEqual([]);
    });

    it('are asked for again, of the agent, while one is missing', async () => {
      join(agent('agent-1'));
      await event(0);
      await event(2);
      await pass(1_000);
      expect(sent).toEqual([
        { text: '1', topic: 'nova-sonic.call.again', destinationIdentities: ['agent-1'] },
      ]);
    });

    it('are not asked for without an agent, without a connection, or after the call', async () => {
      await pass(3_000);
      join(agent('agent-1'));
      room.state = 'reconnecting';
      await pass(2_000);
      room.state = 'connected';
      await connection.hangUp();
      await pass(60_000);
      expect(sent).toEqual([]);
      expect(jest.getTimerCount()).toBe(0);
    });

    it('begin again with a process that has taken the call up, and late ones of the dead one are dropped', async () => {
      join(agent('agent-1'));
      await event(0, { message: 'first' });
      await event(0, { message: 'second', run: 1 });
      await event(1, { message: 'late' });
      await event(1, { message: 'third', run: 1 });
      expect(messages()).toEqual(['first', 'second', 'third']);
    });

    it('begin again with another agent, whatever the run of the one before', async () => {
      const one = join(agent('agent-1'));
      await event(0, { message: 'first', run: 2 });
      leave(one);
      join(agent('agent-2'));
      await event(0, { message: 'other' });
      expect(messages()).toEqual(['first', 'other']);
    });
  });

  it('shows a transcription as it grows, of whom it is, and whether it is complete', async () => {
    const segment = { 'lk.segment_id': 'S1' };
    await receive('lk.transcription', ['Hel', 'lo'], { attributes: segment });
    await receive('lk.transcription', ['Hi'], {
      from: 'me',
      attributes: { 'lk.transcription_final': 'false' },
    });
    await receive('lk.transcription', ['Bye'], { breaks: true });
    const all = actions('transcription').map(({ who, id, text, done }) => [who, id, text, done]);
    expect(all).toEqual([
      ['agent', 'S1', 'Hel', false],
      ['agent', 'S1', 'Hello', false],
      ['agent', 'S1', 'Hello', true],
      ['you', 'stream', 'Hi', false],
      ['you', 'stream', 'Hi', false],
      ['agent', 'stream', 'Bye', false],
      ['agent', 'stream', 'Bye', true],
    ]);
  });

  describe('a typed text', () => {
    const typed = () => sent.filter(({ topic }) => topic === 'lk.chat').map(({ text }) => text);
    const confirm = (text: string) =>
      event(0, { type: 'message', role: 'user', text, interrupted: false });

    it('is shown and sent, each with an id of its own', async () => {
      await connection.sendText('Hello');
      await connection.sendText('Hello');
      expect(actions('typed').map(({ id, text }) => [id, text])).toEqual([
        ['typed-0', 'Hello'],
        ['typed-1', 'Hello'],
      ]);
      expect(typed()).toEqual(['Hello', 'Hello']);
    });

    it('waits for the connection', async () => {
      room.state = 'reconnecting';
      await connection.sendText('Hello');
      expect(typed()).toEqual([]);
      room.state = 'connected';
      room.emit('Reconnected');
      await pass(0);
      expect(typed()).toEqual(['Hello']);
    });

    it('that the agent has not confirmed 3 s after a reconnect is sent again, and no other', async () => {
      join(agent('agent-1'));
      await connection.sendText('heard');
      await connection.sendText('lost');
      await confirm('heard');
      room.emit('Reconnected');
      await pass(2_999);
      expect(typed()).toEqual(['heard', 'lost']);
      await pass(1);
      expect(typed()).toEqual(['heard', 'lost', 'lost']);
    });
  });

  describe('a connection that is lost', () => {
    it('is told, and that it is back, with the agent that came meanwhile', () => {
      room.emit('SignalReconnecting');
      room.remoteParticipants.set('agent-1', agent('agent-1'));
      room.emit('Reconnected');
      expect(toldOf('connection')).toEqual([['lost'], ['restored']]);
      expect(toldOf('agent')).toEqual([['initializing', 'agent-1']]);
    });

    it('may have lost events, which are asked for', async () => {
      join(agent('agent-1'));
      await event(0);
      room.emit('Reconnecting');
      room.emit('Reconnected');
      await pass(0);
      expect(sent.map(({ text }) => text)).toEqual(['1']);
    });

    it('is told at once when the browser is offline, before LiveKit notices', async () => {
      browserWindow.dispatchEvent(new Event('offline'));
      expect(toldOf('connection')).toEqual([['lost']]);
      browserWindow.dispatchEvent(new Event('online'));
      await pass(999);
      expect(toldOf('connection')).toEqual([['lost']]);
      await pass(1);
      expect(toldOf('connection')).toEqual([['lost'], ['restored']]);
    });

    it('is not restored while LiveKit still reconnects', async () => {
      browserWindow.dispatchEvent(new Event('offline'));
      room.state = 'reconnecting';
      browserWindow.dispatchEvent(new Event('online'));
      await pass(5_000);
      expect(toldOf('connection')).toEqual([['lost']]);
    });
  });

  it('is told of its end, after which nothing of the browser reaches it', async () => {
    room.emit('TrackSubscribed', track(), {}, agent('agent-1'));
    room.emit('Disconnected', 5);
    expect(toldOf('disconnected')).toEqual([[5]]);
    expect(onPage.size).toBe(0);
    browserWindow.dispatchEvent(new Event('offline'));
    expect(toldOf('connection')).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('does not hang up by itself when the page is left: the call is kept first', () => {
    expect(room.options).toMatchObject({ disconnectOnPageLeave: false });
  });
});
