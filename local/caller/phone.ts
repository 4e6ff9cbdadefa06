// SPDX-License-Identifier: Apache-2.0

import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { Room } from '@livekit/rtc-node';
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
 * A telephone with a number of its own: one that calls in, and is answered already, or one that is dialed. As LiveKit's SIP
 * service joins it: livekit/protocol's sip/sip.go, livekit/sip's pkg/sip/inbound.go and outbound.go.
 */
export function createSipParticipant({ dialed = false } = {}): SipParticipant {
  const number = `+1555010${randomInt(1_000, 10_000)}`;
  const id = () => randomBytes(6).toString('hex');
  return {
    identity: `sip_${number}`,
    name: `Phone ${number}`,
    attributes: {
      'sip.callID': `SCL_${id()}`,
      'sip.callStatus': dialed ? 'dialing' : 'active',
      'sip.phoneNumber': number,
      'sip.trunkPhoneNumber': CALLED_NUMBER,
      'sip.trunkID': `ST_${id()}`,
      ...(!dialed && { 'sip.ruleID': `SDR_${id()}` }),
      'sip.hostname': '127.0.0.1',
    },
  };
}

/** What becomes of a call that was dialed, as the SIP service tells the room. */
export async function setCallStatus(room: Room, status: 'ringing' | 'active'): Promise<void> {
  await room.localParticipant?.setAttributes({ 'sip.callStatus': status });
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
