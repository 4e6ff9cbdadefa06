// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { dialPhone } from '../../../agent/src/phone/dial-phone.js';
import { type SipAnswer, SipServiceStandIn } from '../../support/sip-service.js';

let service: SipServiceStandIn;
const call = { number: '+15551234567', trunkId: 'ST_1', agentName: 'clerk' };
const address = () => ({
  url: service.url,
  apiKey: 'key',
  apiSecret: 'a secret of some length....',
});

beforeEach(async () => {
  service = await SipServiceStandIn.start();
});
afterEach(() => service.stop());

it('sends the agent to a new room, and dials', async () => {
  service.answers.set('CreateSIPParticipant', { body: { sip_call_id: 'SCL_1' } });
  const placed = await dialPhone(address(), {
    ...call,
    metadata: '{"order":7}',
    fromNumber: '+15557654321',
    digits: 'ww12#',
    ringingTimeout: 20,
    hideNumber: true,
  });
  const { room } = placed;
  expect(placed).toEqual({ room, answered: true, callId: 'SCL_1' });
  expect(room).toMatch(/^call-/);
  expect(service.requests.map(({ method }) => method)).toEqual([
    'CreateRoom',
    'CreateDispatch',
    'CreateSIPParticipant',
  ]);
  expect(service.request('CreateDispatch')).toMatchObject({
    room,
    agentName: 'clerk',
    metadata: '{"order":7}',
  });
  const dialed = service.request('CreateSIPParticipant');
  expect(dialed).toMatchObject({
    sipTrunkId: 'ST_1',
    sipCallTo: '+15551234567',
    sipNumber: '+15557654321',
    roomName: room,
    dtmf: 'ww12#',
    ringingTimeout: '20s',
    waitUntilAnswered: true,
    hidePhoneNumber: true,
  });
  expect(dialed.participantIdentity).toMatch(/^phone-[0-9a-f-]+$/);
});

it('leaves the dispatch to LiveKit when the agent has no name', async () => {
  await dialPhone(address(), { ...call, agentName: '', room: 'mine' });
  expect(service.requests.map(({ method }) => method)).toEqual([
    'CreateRoom',
    'CreateSIPParticipant',
  ]);
  expect(service.request('CreateSIPParticipant')).toMatchObject({
    roomName: 'mine',
    ringingTimeout: '30s',
  });
});

it.each<[string, SipAnswer, object]>([
  [
    'busy',
    { code: 'resource_exhausted', httpStatus: 429, sipStatus: 486 },
    { reason: 'busy', sipStatus: 486, message: 'The line is busy.' },
  ],
  [
    'refused',
    { code: 'permission_denied', httpStatus: 403, sipStatus: 603 },
    { reason: 'refused', sipStatus: 603, message: 'The call was refused.' },
  ],
  [
    'not answered',
    { code: 'deadline_exceeded', httpStatus: 408 },
    { reason: 'no_answer', message: 'Nobody answered.' },
  ],
])('says that a phone was %s, and deletes the room', async (_title, answer, failure) => {
  service.answers.set('CreateSIPParticipant', answer);
  const placed = await dialPhone(address(), call);
  expect(placed).toEqual({ room: placed.room, answered: false, failure });
  expect(service.request('DeleteRoom')).toEqual({ room: placed.room });
});

it('dials nobody when no agent can be sent', async () => {
  service.answers.set('CreateDispatch', { code: 'unauthenticated', httpStatus: 401 });
  await expect(dialPhone(address(), call)).rejects.toThrow();
  expect(service.requests.some(({ method }) => method === 'CreateSIPParticipant')).toBe(false);
});
