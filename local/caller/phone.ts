// SPDX-License-Identifier: Apache-2.0

import { randomBytes, randomInt, randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { type Room, RoomEvent } from '@livekit/rtc-node';
import type { SipParticipant } from '../../agent/src/caller/join-room.js';

/** The number that a simulated telephone calls. Numbers with 555 as the area code belong to nobody. */
const CALLED_NUMBER = '+15550100000';
/** As somebody presses keys. */
const KEY_INTERVAL_MS = 250;
/** LiveKit's SIP service takes `w` as a pause of half a second. */
const WAIT_MS = 500;
/** RFC 4733: the code of a key is its place in this list. */
const KEYS = '0123456789*#ABCD';

/**
 * A telephone with a number of its own: one that calls in, and rings until there is an agent (`answerWhenHeard`), or one that
 * dialPhone calls. As LiveKit's SIP service joins it: test/sip compares it with livekit/sip v1.11.0, pkg/sip/inbound.go and
 * outbound.go.
 */
export function createSipParticipant({ dialed = false } = {}): SipParticipant {
  const number = `+1555010${randomInt(1_000, 10_000)}`;
  const id = () => randomBytes(6).toString('hex');
  return {
    identity: dialed ? `phone-${randomUUID()}` : `sip_${number}`,
    name: dialed ? '' : `Phone ${number}`,
    attributes: {
      'sip.callID': `SCL_${id()}`,
      'sip.callStatus': dialed ? 'dialing' : 'ringing',
      'sip.phoneNumber': number,
      'sip.trunkPhoneNumber': CALLED_NUMBER,
      'sip.trunkID': `ST_${id()}`,
      ...(!dialed && {
        ...{ 'sip.ruleID': `SDR_${id()}`, 'sip.callIDFull': id(), 'sip.callTag': id() },
      }),
      'sip.hostname': '127.0.0.1',
    },
  };
}

/** What becomes of a call, as the SIP service tells the room. */
export async function setCallStatus(room: Room, status: 'ringing' | 'active'): Promise<void> {
  await room.localParticipant?.setAttributes({ 'sip.callStatus': status });
}

/**
 * The SIP service answers a caller when it has somebody's track: of the agent, or of the waiting line. Call it before the
 * phone joins.
 */
export function answerWhenHeard(room: Room): void {
  room.once(RoomEvent.TrackSubscribed, () => void setCallStatus(room, 'active'));
}

/** Name of the room that a dispatch rule with LiveKit's usual prefix makes for a call. */
export function phoneRoomName({ attributes }: SipParticipant): string {
  return `call-_${attributes['sip.phoneNumber']}_${randomBytes(6).toString('hex')}`;
}

/**
 * Checks keys to press: digits, `*`, `#`, A to D, and `w` for a pause of half a second.
 * @throws Error with one sentence
 */
export function parseKeys(text: string): string {
  if (!/^[\d*#A-Dw]+$/.test(text))
    throw new Error('Give keys of a telephone: digits, *, #, A to D, and w for a pause of 0.5 s.');
  return text;
}

/** Presses keys one after the other, each published as the SIP service does: a DTMF event for the whole room. */
export async function pressKeys(room: Room, keys: string): Promise<void> {
  for (const key of keys) {
    if (key !== 'w') await room.localParticipant?.publishDtmf(KEYS.indexOf(key), key);
    await delay(key === 'w' ? WAIT_MS : KEY_INTERVAL_MS);
  }
}
