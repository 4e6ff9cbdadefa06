// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { describe, expect, it, jest } from '@jest/globals';
import { type Room, RoomEvent } from '@livekit/rtc-node';
import { readPhoneAttributes } from '../../../agent/src/phone/phone-attributes.js';
import {
  answerWhenHeard,
  createSipParticipant,
  parseKeys,
  phoneRoomName,
  pressKeys,
} from '../../../local/caller/phone.js';

describe('parseKeys', () => {
  it('takes the keys of a telephone and pauses', () => {
    expect(parseKeys('1w23#*AD0')).toBe('1w23#*AD0');
  });

  it.each(['', '12 3', 'E', '1,2'])('refuses "%s"', (text) => {
    expect(() => parseKeys(text)).toThrow('Give keys of a telephone');
  });
});

describe('createSipParticipant', () => {
  it('has what the SIP service gives a caller, with a number of its own', () => {
    const phone = createSipParticipant();
    const number = phone.attributes['sip.phoneNumber'];
    expect(number).toMatch(/^\+1555010\d{4}$/);
    expect(phone).toMatchObject({
      identity: `sip_${number}`,
      name: `Phone ${number}`,
      attributes: { 'sip.callStatus': 'ringing', 'sip.trunkPhoneNumber': '+15550100000' },
    });
    expect(phoneRoomName(phone).startsWith(`call-_${number}_`)).toBe(true);
    expect(readPhoneAttributes(phone.attributes)).toMatchObject({ direction: 'inbound' });
  });

  it('is dialed, and then no dispatch rule brought it', () => {
    const { attributes, identity, name } = createSipParticipant({ dialed: true });
    expect({ identity, name }).toEqual({ identity: expect.stringMatching(/^phone-/), name: '' });
    expect(readPhoneAttributes(attributes)).toMatchObject({
      direction: 'outbound',
      status: 'dialing',
    });
  });
});

describe('answerWhenHeard', () => {
  it('answers once, with the first track', () => {
    const setAttributes = jest.fn(async (_: object) => {});
    const room = Object.assign(new EventEmitter(), { localParticipant: { setAttributes } });
    answerWhenHeard(room as unknown as Room);
    expect(setAttributes).not.toHaveBeenCalled();
    room.emit(RoomEvent.TrackSubscribed);
    room.emit(RoomEvent.TrackSubscribed);
    expect(setAttributes.mock.calls).toEqual([[{ 'sip.callStatus': 'active' }]]);
  });
});

describe('pressKeys', () => {
  it('publishes each key with its code, and nothing for a pause', async () => {
    jest.useFakeTimers({ advanceTimers: true });
    const publishDtmf = jest.fn(async (_code: number, _digit: string) => {});
    const pressed = pressKeys({ localParticipant: { publishDtmf } } as unknown as Room, '0w9*#D');
    await jest.runAllTimersAsync();
    await pressed;
    jest.useRealTimers();
    expect(publishDtmf.mock.calls).toEqual([
      [0, '0'],
      [9, '9'],
      [10, '*'],
      [11, '#'],
      [15, 'D'],
    ]);
  });
});
