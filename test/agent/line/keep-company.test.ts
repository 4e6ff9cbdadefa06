// SPDX-License-Identifier: Apache-2.0
// A call whose room and audio output the test plays; time is Jest's.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, voice } from '@livekit/agents';
import type { Room } from '@livekit/rtc-node';
import type { StreamWait } from '../../../agent/src/line/stream-wait.js';
import { FakeAudioSource } from '../../support/fake-audio-source.js';

initializeLogger({ pretty: false, level: 'silent' });

const rtc = await import('@livekit/rtc-node');
const { RoomEvent } = rtc;

jest.unstable_mockModule('@livekit/rtc-node', () => ({
  ...rtc,
  AudioSource: FakeAudioSource,
  LocalAudioTrack: { createAudioTrack: (name: string) => name },
}));
const { keepCompany } = await import('../../../agent/src/line/keep-company.js');

const RECORDINGS = { callers: 20, busy: 'all-lines-busy.wav', full: 'nobody-can-answer.wav' };
const { AgentStateChanged, Close } = voice.AgentSessionEventTypes;

let tracks: string[];
let publish: () => Promise<unknown>;
let room: EventEmitter & { remoteParticipants: Map<string, unknown> };
let session: EventEmitter;
let wait: StreamWait;

function begin(line = RECORDINGS) {
  tracks = [];
  publish = async () => ({
    sid: `TR_${tracks.length}`,
    waitForSubscription: async () => {},
  });
  room = Object.assign(new EventEmitter(), {
    remoteParticipants: new Map(),
    localParticipant: {
      publishTrack: async (track: string) => {
        tracks.push(track);
        return publish();
      },
      unpublishTrack: async (sid: string) => void tracks.push(`without ${sid}`),
    },
  });
  session = new EventEmitter();
  wait = keepCompany(room as unknown as Room, session as voice.AgentSession, {
    line,
    speaksFirst: true,
  });
}
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const full = () => {
  wait.streamChanged({ type: 'opening', reason: 'start' });
  wait.streamChanged({ type: 'throttled', reason: 'start' });
};
const loudest = () =>
  FakeAudioSource.played.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
/** Louder than any music. */
const SPEECH = 4_000;

beforeEach(() => {
  jest.useFakeTimers();
  FakeAudioSource.reset();
  begin();
});
afterEach(() => {
  wait.close();
  jest.useRealTimers();
});

describe('a caller whose call has no stream', () => {
  it('hears the words of the line within 2 s, then music, until the agent speaks; the track is gone then', async () => {
    full();
    await pass(2_000);
    expect(tracks).toEqual(['waiting-line']);
    expect(loudest()).toBeGreaterThan(SPEECH);
    await pass(20_000);
    FakeAudioSource.played = [];
    await pass(10_000);
    expect(loudest()).toBeGreaterThan(0);
    expect(loudest()).toBeLessThan(SPEECH);
    wait.streamChanged({ type: 'opened', reason: 'failure' });
    session.emit(AgentStateChanged, { newState: 'speaking' });
    await pass(400);
    expect(tracks).toEqual(['waiting-line', 'without TR_1']);
    expect(FakeAudioSource.open).toBe(0);
  });

  it('hears only music after the waiting line, as soon as that is gone', async () => {
    begin();
    const attendant = { attributes: { 'nova-sonic.waiting-line': 'waiting' } };
    room.remoteParticipants.set('waiting-line', attendant);
    room.emit(RoomEvent.ParticipantConnected, attendant);
    full();
    await pass(8_000);
    expect(tracks).toEqual([]);
    room.remoteParticipants.clear();
    room.emit(RoomEvent.ParticipantDisconnected, attendant);
    await pass(10_000);
    expect(tracks).toEqual(['waiting-line']);
    expect(loudest()).toBeGreaterThan(0);
    expect(loudest()).toBeLessThan(SPEECH);
  });

  it('hears no more of it when the call ends, also while the track is only being published', async () => {
    let published: (publication: unknown) => void = () => {};
    publish = () =>
      new Promise((resolve) => {
        published = resolve;
      });
    full();
    await pass(1_400);
    session.emit(Close, {});
    published({ sid: 'TR_late', waitForSubscription: async () => {} });
    await pass(1_000);
    expect(tracks).toEqual(['waiting-line', 'without TR_late']);
    expect(loudest()).toBeLessThan(SPEECH);
    expect(FakeAudioSource.open).toBe(0);
  });

  it('does not lose the call when nothing can be played', async () => {
    publish = async () => {
      throw new Error('the connection has gone');
    };
    full();
    await pass(2_000);
    expect(FakeAudioSource.open).toBe(0);
    begin({ ...RECORDINGS, busy: 'no-such-file.wav' });
    full();
    await pass(2_000);
    expect(tracks).toEqual([]);
  });
});
