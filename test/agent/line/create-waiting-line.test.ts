// SPDX-License-Identifier: Apache-2.0
// What a worker makes of its waiting line: whom it asks, what it counts, and with which rights it goes to callers.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { ParticipantInfo, RoomServiceClient } from 'livekit-server-sdk';
import { readWorkerConfig } from '../../../agent/src/config.js';
import type { AttendantReport, AttendantTask } from '../../../agent/src/line/attendant-messages.js';
import { Attendants } from '../../../agent/src/line/attendants.js';
import { attendantToken, createWaitingLine } from '../../../agent/src/line/create-waiting-line.js';
import type { UnansweredRoom } from '../../../agent/src/watcher/room-watch.js';
import type { RoomDispatch } from '../../../agent/src/watcher/rooms-api.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';

initializeLogger({ pretty: false, level: 'silent' });

const tasks: AttendantTask[] = [];
let reporting: Attendants | undefined;
const report = (one: AttendantReport) => reporting?.onReport(one);
const did: string[] = [];

beforeEach(() => {
  for (const list of [tasks, did]) list.length = 0;
  jest.spyOn(Attendants.prototype, 'attend').mockImplementation(function (this: Attendants, task) {
    reporting = this;
    tasks.push(task);
  });
  const { prototype: api } = RoomServiceClient;
  const people = ['ann', 'bob', 'eve'].map((identity) => new ParticipantInfo({ identity }));
  jest.spyOn(api, 'listParticipants').mockImplementation(async () => people);
  jest
    .spyOn(api, 'removeParticipant')
    .mockImplementation(async (room, identity) => void did.push(`remove ${identity} from ${room}`));
});
afterEach(() => {
  jest.restoreAllMocks();
});

const config = (env: Record<string, string> = {}) =>
  readWorkerConfig({
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
    LIVEKIT_AGENT_NAME: 'desk',
    WAITING_LINE_CALLERS: '2',
    ...env,
  });

const dispatch = (id: string, agentName: string) => ({ id, agentName }) as RoomDispatch;
const room = (name: string, callers = ['ann']): UnansweredRoom => ({
  ...{ name, sid: `RM_${name}`, callers, joinedAt: 0, since: 0 },
  terms: { agentName: 'desk', metadata: '', deployment: '', restartPolicy: 0 },
  ...{ spent: [], waitedMs: 700, attended: false },
});

/** A line, with the rooms it was asked to see to, each of which has its attendant. */
async function lineFor(rooms: UnansweredRoom[], env?: Record<string, string>) {
  const clock = new ManualClock();
  const counted: [string, number | undefined][] = [];
  const line = createWaitingLine(
    config(env),
    clock,
    { add: (metric, value) => void counted.push([metric, value]) },
    {
      listDispatches: async () => [dispatch('AD_1', 'desk'), dispatch('AD_2', 'other')],
      deleteDispatch: async (name, id) => void did.push(`withdraw ${id} from ${name}`),
    },
  );
  line?.step(
    rooms,
    () => false,
    async () => true,
  );
  await until('each has its attendant', () => tasks.length === rooms.length);
  return { clock, counted, line };
}

it('there is no line when nobody may wait', () => {
  const api = { listDispatches: async () => [], deleteDispatch: async () => {} };
  const line = createWaitingLine(
    config({ WAITING_LINE_CALLERS: '0' }),
    new ManualClock(),
    { add: () => {} },
    api,
  );
  expect(line).toBeUndefined();
});

it('counts how long those waited who were answered, and nobody else', async () => {
  const { clock, counted } = await lineFor([room('a'), room('b')]);
  await clock.pass(5_000);
  report({ type: 'speaking', room: 'a', ms: 3 });
  report({ type: 'ended', room: 'a', outcome: 'answered' });
  report({ type: 'ended', room: 'b', outcome: 'failed' });
  expect(counted).toEqual([['TimeWaited', 5_700]]);
});

it('counts each caller who gave up', async () => {
  const { counted } = await lineFor([room('a', ['ann', 'bob'])]);
  report({ type: 'ended', room: 'a', outcome: 'gave_up' });
  expect(counted).toEqual([['CallersGaveUp', 2]]);
});

describe('callers who are turned away', () => {
  it('are counted, wanted by our agent no more, and each disconnected, alone', async () => {
    const { counted } = await lineFor([room('a', ['x', 'y']), room('b', ['ann', 'bob'])]);
    expect(tasks.map(({ part }) => part)).toEqual(['wait', 'turn_away']);
    expect(counted).toEqual([['CallersTurnedAway', 2]]);
    expect(did).toEqual([]);
    report({ type: 'ended', room: 'b', outcome: 'turned_away' });
    await until('both have been disconnected', () => did.length === 3);
    expect(did).toEqual(['withdraw AD_1 from b', 'remove ann from b', 'remove bob from b']);
  });

  it('are not disconnected where nobody is', async () => {
    const { counted } = await lineFor([room('a', ['x', 'y']), room('b')], {
      DISCONNECT_ON_END: 'off',
    });
    report({ type: 'ended', room: 'b', outcome: 'turned_away' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(counted).toEqual([['CallersTurnedAway', 1]]);
    expect(did).toEqual(['withdraw AD_1 from b']);
  });
});

describe('the token of an attendant', () => {
  const payload = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());

  it('is one of an agent that speaks for another, without the right to send data', async () => {
    await lineFor([room('a')]);
    expect(tasks[0]?.url).toBe('ws://127.0.0.1:7880');
    expect(payload(tasks[0]?.token ?? '')).toMatchObject({
      sub: 'waiting-line-desk',
      kind: 'agent',
      attributes: {
        'nova-sonic.waiting-line': 'waiting',
        'lk.publish_on_behalf': 'waiting-line-desk',
      },
      video: {
        room: 'a',
        roomJoin: true,
        canPublish: true,
        canPublishData: false,
        canSubscribe: true,
      },
    });
  });

  it('brings no agent into a room that has gone and would be created again', async () => {
    await lineFor([room('a')]);
    expect(payload(tasks[0]?.token ?? '').roomConfig.agents).toMatchObject([
      { agentName: 'nobody' },
    ]);
  });

  it('tells the page who is turned away, and names no agent where LiveKit dispatches by itself', async () => {
    const livekit = { ...config().livekit, agentName: '' };
    expect(payload(await attendantToken(livekit, 'a', 'turn_away'))).toMatchObject({
      sub: 'waiting-line',
      attributes: { 'nova-sonic.waiting-line': 'turned_away' },
    });
  });

  it('lasts longer than any wait', async () => {
    const { exp, nbf } = payload(await attendantToken(config().livekit, 'a', 'wait'));
    expect(exp - nbf).toBe(6 * 3_600);
  });
});
