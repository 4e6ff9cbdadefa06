// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import {
  DisconnectReason,
  ParticipantKind,
  type Room,
  RoomEvent,
  TrackKind,
  TrackSource,
} from '@livekit/rtc-node';
import type { ChosenCallers } from '../../../agent/src/call/caller-choice.js';
import { RoomCallers } from '../../../agent/src/call/room-callers.js';

initializeLogger({ pretty: false, level: 'silent' });

/** The parts of a room that the choice reads. */
class FakeRoom extends EventEmitter {
  isConnected = true;
  readonly remoteParticipants = new Map<string, object>();

  join(identity: string, { kind = ParticipantKind.STANDARD, audio = true, permission = {} } = {}) {
    this.remoteParticipants.set(identity, {
      identity,
      sid: `PA_${identity}`,
      attributes: {},
      metadata: '',
      info: { kind, joinedAt: 1n, permission },
      trackPublications: new Map(audio ? [['TR', { kind: TrackKind.KIND_AUDIO }]] : []),
    });
    this.emit(RoomEvent.ParticipantConnected);
  }

  leave(identity: string, disconnectReason = DisconnectReason.SIGNAL_CLOSE) {
    this.remoteParticipants.delete(identity);
    this.emit(RoomEvent.ParticipantDisconnected, { identity, disconnectReason });
  }
}

const start = (room: FakeRoom) => {
  const callers = new RoomCallers(room as unknown as Room, { heard: 'first' });
  const changes: ChosenCallers[] = [];
  callers.onChange((chosen) => changes.push(chosen));
  return { callers, changes };
};

describe('the callers of a room', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
    jest.restoreAllMocks();
  });

  it('are found among those who are there, and those who come', async () => {
    const room = new FakeRoom();
    room.join('recorder', { kind: ParticipantKind.EGRESS });
    const { callers } = start(room);
    const first = callers.first();
    expect(callers.caller).toBeUndefined();
    room.join('ann');
    expect((await first).identity).toBe('ann');
    expect(callers.identities).toEqual(['ann']);
  });

  it.each([
    ['may not publish', { canPublish: false }],
    ['may share a screen only', { canPublishSources: [TrackSource.SOURCE_SCREENSHARE_AUDIO] }],
  ])('are not who %s', (_title, permission) => {
    const room = new FakeRoom();
    const { callers } = start(room);
    room.join('viewer', { permission });
    expect(callers.caller).toBeUndefined();
    room.join('ann', { permission: { canPublishSources: [TrackSource.SOURCE_MICROPHONE] } });
    expect(callers.caller?.identity).toBe('ann');
  });

  it('are decided on again when nobody has published anything for a while', () => {
    const room = new FakeRoom();
    room.join('ann', { audio: false });
    room.join('ben', { audio: false });
    const { callers } = start(room);
    void callers.first();
    expect(callers.caller).toBeUndefined();
    jest.advanceTimersByTime(2_000);
    expect(callers.caller?.identity).toBe('ann');
  });

  it('change: gone, back, gone for good', () => {
    const room = new FakeRoom();
    const { callers, changes } = start(room);
    room.join('ann');
    room.join('ben');
    room.leave('ann', DisconnectReason.CLIENT_INITIATED);
    expect(callers.caller).toBeUndefined();
    room.join('ann');
    expect(changes).toMatchObject([
      { identities: ['ann'], change: 'found' },
      { identities: [] },
      { identities: ['ann'], change: 'returned' },
    ]);
  });

  it('are followed to the end of the room only', async () => {
    const room = new FakeRoom();
    const { callers, changes } = start(room);
    const first = callers.first();
    room.isConnected = false;
    room.emit(RoomEvent.Disconnected);
    await expect(first).rejects.toThrow('The room was disconnected before a caller was in it.');
    room.isConnected = true;
    room.join('ann');
    expect(changes).toEqual([]);
  });

  it('are logged once, and by name only where names may be logged', () => {
    const info = jest.spyOn(log(), 'info').mockReturnValue(undefined);
    const room = new FakeRoom();
    start(room);
    room.join('+15551234567');
    room.join('ben');
    expect(info.mock.calls).toHaveLength(1);
    const [fields, message] = info.mock.calls[0] as unknown as [Record<string, unknown>, string];
    expect(message).toBe('caller chosen');
    const { 'lk.pii.identity': identity, participant_sid, ...rest } = fields;
    expect(identity).toBe('+15551234567');
    expect(rest).toEqual({
      change: 'found',
      kind: 'standard',
      publishes_audio: true,
      heard: 1,
      participants: 1,
    });
  });
});
