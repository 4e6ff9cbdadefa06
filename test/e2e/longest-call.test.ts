// SPDX-License-Identifier: Apache-2.0

// A telephone that never hangs up: after the longest call it is disconnected, and hears no silence for good. A real LiveKit
// server, the real worker, the emulator.

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { DisconnectReason, dispose, RoomEvent } from '@livekit/rtc-node';
import { type DevEnvironment, startDevEnvironment } from '../../local/dev/dev-environment.js';
import { type PersonOptions, RoomPerson } from './room-person.js';

const PHONE: PersonOptions = {
  kind: 'sip',
  attributes: { 'sip.callStatus': 'active', 'sip.phoneNumber': '+15551234567' },
};
const people: RoomPerson[] = [];
let environment: DevEnvironment;

beforeAll(async () => {
  process.env.MAX_CALL_S = '15';
  environment = await startDevEnvironment({ bedrock: 'emulator', onStatus: () => {} });
}, 240_000);

afterAll(async () => {
  delete process.env.MAX_CALL_S;
  await Promise.all(people.map((person) => person.leave()));
  await dispose();
  await environment?.stop();
}, 60_000);

it.each([
  ['alone with the agent', [], DisconnectReason.ROOM_DELETED],
  ['while a supervisor stays', ['supervisor'], DisconnectReason.PARTICIPANT_REMOVED],
])(
  'after the longest call a telephone is disconnected %s',
  async (name, others, expected) => {
    const room = name.replaceAll(' ', '-');
    const phone = await RoomPerson.join(environment.livekit, room, 'phone', PHONE);
    people.push(phone);
    let reason: DisconnectReason | undefined;
    phone.room.on(RoomEvent.Disconnected, (why) => {
      reason = why;
      phone.room.emit(RoomEvent.RoomUpdated);
    });
    await phone.publish();
    for (const identity of others)
      people.push(await RoomPerson.join(environment.livekit, room, identity));
    await phone.until('the phone is disconnected', () => reason !== undefined, 90_000);
    expect(reason).toBe(expected);
    expect(phone.endReason).toBe('max_call_length');
    expect(phone.agentSounds.length).toBeGreaterThan(0);
  },
  120_000,
);
