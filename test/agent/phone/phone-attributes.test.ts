// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { SipCallError } from 'livekit-server-sdk';
import {
  isAnswered,
  readPhoneAttributes,
  unansweredReason,
} from '../../../agent/src/phone/phone-attributes.js';
import { phoneUri, sipFailure } from '../../../agent/src/phone/sip-failure.js';

it('reads an inbound call', () => {
  expect(
    readPhoneAttributes({
      'sip.ruleID': 'SDR_1',
      'sip.callID': 'SCL_1',
      'sip.callStatus': 'active',
      'sip.phoneNumber': '+15551234567',
      'sip.trunkPhoneNumber': '+15557654321',
    }),
  ).toEqual({
    direction: 'inbound',
    number: '+15551234567',
    trunkNumber: '+15557654321',
    callId: 'SCL_1',
    status: 'active',
  });
});

it.each([
  [{ 'sip.callStatus': 'dialing' }, 'outbound', false],
  [{ 'sip.callStatus': 'ringing' }, 'outbound', false],
  [{ 'sip.callStatus': 'automation' }, 'outbound', false],
  [{ 'sip.callStatus': 'active' }, 'outbound', true],
  [{ 'sip.callStatus': 'hangup' }, 'outbound', true],
  [{ 'sip.callStatus': 'something-new' }, 'outbound', true],
  [{}, 'outbound', true],
  [{ 'sip.ruleID': 'SDR_1', 'sip.callStatus': 'ringing' }, 'inbound', false],
  [{ 'sip.ruleID': 'SDR_1' }, 'inbound', true],
  [{ 'sip.ruleID': '', 'sip.callStatus': 'active' }, 'outbound', true],
] as const)('%j is %s, answered: %s', (attributes, direction, answered) => {
  const phone = readPhoneAttributes(attributes as Record<string, string>);
  expect(phone.direction).toBe(direction);
  expect(phone.number).toBeUndefined();
  expect(isAnswered(phone)).toBe(answered);
});

it.each([
  ['USER_UNAVAILABLE', 'no_answer'],
  ['USER_REJECTED', 'busy_or_refused'],
  ['SIP_TRUNK_FAILURE', 'phone_network_failed'],
  ['CLIENT_INITIATED', 'dial_cancelled'],
  ['UNKNOWN_REASON', 'no_answer'],
  [undefined, 'no_answer'],
])('a phone that left with %s: %s', (reason, expected) => {
  expect(unansweredReason(reason)).toBe(expected);
});

const sipError = (code: string, sip?: string) =>
  new SipCallError(
    'SipCallError',
    'failed',
    500,
    code,
    sip === undefined ? {} : { sip_status_code: sip, sip_status: '' },
  );

it.each([
  [sipError('unavailable', '486'), 'busy', 486],
  [sipError('unavailable', '603'), 'refused', 603],
  [sipError('unavailable', '480'), 'no_answer', 480],
  [sipError('unavailable', '404'), 'not_found', 404],
  [sipError('unavailable', '503'), 'failed', 503],
  [sipError('not_found'), 'not_found', undefined],
  [sipError('canceled'), 'no_answer', undefined],
  [new DOMException('The operation timed out', 'TimeoutError'), 'silent', undefined],
  [new TypeError('fetch failed'), 'failed', undefined],
  [undefined, 'failed', undefined],
])('%s is %s', (error, reason, sipStatus) => {
  const failure = sipFailure(error);
  expect(failure.reason).toBe(reason);
  expect(failure.sipStatus).toBe(sipStatus);
  expect(failure.message).toMatch(/^[A-Z].*\.$/);
});

it.each([
  ['+15551234567', 'tel:+15551234567'],
  ['+1 (555) 123-4567', 'tel:+15551234567'],
  ['112', 'tel:112'],
  ['sip:desk@example.com', 'sip:desk@example.com'],
  ['tel:+15551234567', 'tel:+15551234567'],
  ['the sales desk', undefined],
  ['', undefined],
])('%j is dialed as %j', (to, expected) => {
  expect(phoneUri(to)).toBe(expected);
});
