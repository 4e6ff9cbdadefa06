// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { DisconnectReason, type Room, RoomEvent } from '@livekit/rtc-node';
import { DIAL_FAILURE_TOPIC } from '../../../agent/src/phone/dial-failure.js';
import { RoomPhoneLine } from '../../../agent/src/phone/room-phone-line.js';
import { settle } from '../../support/manual-clock.js';
import { FakePhoneRoom } from './fake-phone-room.js';

initializeLogger({ pretty: false, level: 'silent' });

let room: FakePhoneRoom;

describe('a phone that rings', () => {
  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    room = new FakePhoneRoom();
    room.phone.attributes = { 'sip.callStatus': 'dialing' };
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const ring = () => {
    const livekit = { url: 'http://127.0.0.1:1', apiKey: 'key', apiSecret: 'secret' };
    return new RoomPhoneLine(room as unknown as Room, room.phone, livekit, () => {}).answered();
  };
  const status = (value: string) => {
    room.phone.attributes['sip.callStatus'] = value;
    room.emit(RoomEvent.ParticipantAttributesChanged, {}, room.phone);
  };

  it('is answered when it is active, not before', async () => {
    let outcome: string | undefined;
    void ring().then((value) => {
      outcome = value;
    });
    for (const before of ['ringing', 'automation']) {
      status(before);
      await settle();
      expect(outcome).toBeUndefined();
    }
    status('active');
    await settle();
    expect(outcome).toBe('answered');
    expect(room.eventNames()).toEqual([]);
  });

  const leave = (disconnectReason: DisconnectReason, identity = 'sip_1') =>
    room.emit(RoomEvent.ParticipantDisconnected, { identity, disconnectReason });
  const tell = (reason: string, participant?: object, topic = DIAL_FAILURE_TOPIC) =>
    room.emit(RoomEvent.DataReceived, Buffer.from(reason), participant, 0, topic);

  it.each([
    [DisconnectReason.USER_UNAVAILABLE, 'no_answer'],
    [DisconnectReason.SIP_TRUNK_FAILURE, 'phone_network_failed'],
    [DisconnectReason.CLIENT_INITIATED, 'dial_cancelled'],
  ])('and leaves with %s: %s', async (disconnectReason, expected) => {
    const outcome = ring();
    leave(disconnectReason, 'other');
    leave(disconnectReason);
    expect(await outcome).toBe(expected);
  });

  it('and is cancelled, which is no answer: its status tells the end before it leaves', async () => {
    const outcome = ring();
    status('hangup');
    leave(DisconnectReason.CLIENT_INITIATED);
    expect(await outcome).toBe('dial_cancelled');
  });

  it('and is busy, as whoever dialed tells, though nobody saw it leave', async () => {
    const outcome = ring();
    tell('busy');
    expect(await outcome).toBe('busy');
    expect(room.eventNames()).toEqual([]);
  });

  it.each([
    ['busy', 'busy'],
    ['refused', 'refused'],
    ['failed', 'phone_network_failed'],
  ])('and is %s, as whoever dialed tells before or after it leaves', async (told, expected) => {
    const early = ring();
    tell(told);
    leave(DisconnectReason.USER_REJECTED);
    expect(await early).toBe(expected);
    const late = ring();
    leave(DisconnectReason.USER_REJECTED);
    jest.advanceTimersByTime(1_000);
    tell(told);
    expect(await late).toBe(expected);
    expect(room.eventNames()).toEqual([]);
  });

  it('and is busy or refused, when nobody who may tells which', async () => {
    const outcome = ring();
    tell('busy', { identity: 'somebody' });
    tell('busy', undefined, 'another topic');
    tell('constructor');
    leave(DisconnectReason.USER_REJECTED);
    jest.advanceTimersByTime(2_000);
    expect(await outcome).toBe('busy_or_refused');
  });

  it('and is busy or refused, when the room is closed before anybody tells', async () => {
    const outcome = ring();
    leave(DisconnectReason.USER_REJECTED);
    room.emit(RoomEvent.Disconnected);
    expect(await outcome).toBe('busy_or_refused');
  });

  it('rings no longer than three minutes', async () => {
    const outcome = ring();
    jest.advanceTimersByTime(180_000);
    expect(await outcome).toBe('no_answer');
  });

  it('stops with the room', async () => {
    const outcome = ring();
    room.emit(RoomEvent.Disconnected);
    expect(await outcome).toBe('dial_cancelled');
  });
});
