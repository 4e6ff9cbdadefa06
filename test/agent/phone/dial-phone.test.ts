// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, expect, it, jest } from '@jest/globals';
import { DIAL_FAILURE_TOPIC } from '../../../agent/src/phone/dial-failure.js';
import { dialPhone } from '../../../agent/src/phone/dial-phone.js';
import { type SipAnswer, SipServiceStandIn } from '../../support/sip-service.js';

let service: SipServiceStandIn;
const call = { number: '+15551234567', trunkId: 'ST_1', agentName: 'clerk' };
const AGENT = { identity: 'agent-1', kind: 'AGENT', state: 'ACTIVE' };
const address = () => ({
  url: service.url,
  apiKey: 'key',
  apiSecret: 'a secret of some length....',
});

beforeEach(async () => {
  service = await SipServiceStandIn.start();
  service.answers.set('ListParticipants', { body: { participants: [AGENT] } });
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
    'ListParticipants',
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
    'ListParticipants',
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
])(
  'says that a phone was %s, tells the agent, and deletes the room',
  async (_title, answer, failure) => {
    service.answers.set('CreateSIPParticipant', answer);
    const before: string[][] = [];
    const placed = await dialPhone(address(), call, async () => {
      before.push(service.requests.map(({ method }) => method));
    });
    const { room } = placed;
    expect(placed).toEqual({ room, answered: false, failure });
    const { reason } = failure as { reason: string };
    expect(service.request('SendData')).toMatchObject({
      room,
      topic: DIAL_FAILURE_TOPIC,
      data: Buffer.from(reason).toString('base64'),
    });
    // The agent has a moment to end its call by itself.
    expect(before).toEqual([
      ['CreateRoom', 'CreateDispatch', 'ListParticipants', 'CreateSIPParticipant', 'SendData'],
    ]);
    expect(service.request('DeleteRoom')).toEqual({ room });
  },
);

it('dials when the agent is connected, and not before: a phone may be busy at once', async () => {
  const others = [
    { identity: 'supervisor', kind: 'STANDARD', state: 'ACTIVE' },
    { ...AGENT, state: 'JOINED' },
  ];
  service.answers.set('ListParticipants', { body: { participants: others } });
  const dialed = () => service.requests.some(({ method }) => method === 'CreateSIPParticipant');
  let looks = 0;
  await dialPhone(address(), call, async () => {
    expect(dialed()).toBe(false);
    looks++;
    if (looks === 3) service.answers.set('ListParticipants', { body: { participants: [AGENT] } });
  });
  expect(looks).toBe(3);
  expect(dialed()).toBe(true);
});

it.each<[string, SipAnswer]>([
  ['does not come', { body: {} }],
  ['cannot be looked for', { code: 'internal', httpStatus: 500 }],
])('dials after five seconds when the agent %s', async (_title, answer) => {
  service.answers.set('ListParticipants', answer);
  let waited = 0;
  const placed = await dialPhone(address(), call, async (ms) => {
    waited += ms;
  });
  expect(placed.answered).toBe(true);
  expect(waited).toBe(5_000);
});

it('gives up on a SIP service that does not answer, some time after the phone may ring', async () => {
  service.answers.set('CreateSIPParticipant', 'silence');
  const patience: number[] = [];
  const timeout = AbortSignal.timeout.bind(AbortSignal);
  const spy = jest.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    patience.push(ms);
    return timeout(ms > 20_000 ? 50 : ms);
  });
  const placed = await dialPhone(address(), { ...call, ringingTimeout: 40 }, async () => {});
  spy.mockRestore();
  expect(placed).toMatchObject({
    answered: false,
    failure: { reason: 'silent', message: 'The telephone service did not answer.' },
  });
  expect(Math.max(...patience)).toBeGreaterThan(40_000);
  expect(service.request('DeleteRoom')).toEqual({ room: placed.room });
});

it('deletes the room of a phone that did not answer also when the agent cannot be told', async () => {
  service.answers.set('CreateSIPParticipant', { code: 'canceled', httpStatus: 408 });
  service.answers.set('SendData', { code: 'not_found', httpStatus: 404 });
  const { room } = await dialPhone(address(), call, () => Promise.reject(new Error('no pause')));
  expect(service.request('DeleteRoom')).toEqual({ room });
});

it('dials nobody when no agent can be sent', async () => {
  service.answers.set('CreateDispatch', { code: 'unauthenticated', httpStatus: 401 });
  await expect(dialPhone(address(), call)).rejects.toThrow();
  expect(service.requests.some(({ method }) => method === 'CreateSIPParticipant')).toBe(false);
});
