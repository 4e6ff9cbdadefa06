// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { newCallRecord } from '../../../agent/src/supervision/call-record.js';
import { CallerWatcher } from '../../../agent/src/watcher/caller-watcher.js';
import {
  endedForGood,
  withdrawDispatches,
} from '../../../agent/src/watcher/withdraw-dispatches.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { beginWorker } from '../worker/worker-rig.js';
import { AGENT, SimulatedLiveKit } from './simulated-livekit.js';

initializeLogger({ pretty: false, level: 'silent' });

const record = newCallRecord({ job: 'AJ_1', room: 'a', roomSid: 'RM_1', pid: 1 }, 0);

describe('a call has ended for good', () => {
  test.each([
    ['max_call_length', true],
    ['task_stopping', true],
    ['user_initiated', true],
    ['task_completed', true],
    ['participant_disconnected', true],
    ['room_disconnected', false],
    ['no_caller', true],
    ['transferred', true],
    ['error', true],
    ['failed', true],
    ['withdrawn', false],
    ['already_answered', false],
  ])('%s: %s', (endReason, forGood) => {
    expect(endedForGood({ ...record, ended: true, endReason })).toBe(forGood);
  });

  test('not when nobody knows why', () => {
    expect(endedForGood({ ...record, ended: true })).toBe(false);
  });

  test('when its process died, only if it was to end anyway', () => {
    expect(endedForGood({ ...record, endReason: 'crashed' })).toBe(false);
    expect(endedForGood({ ...record, endReason: 'task_stopping', over: true })).toBe(true);
  });
});

test('the dispatch of an ended call and those before it are withdrawn, no later one, and nobody else’s', async () => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  livekit.join('a', { metadata: 'found nobody' });
  livekit.dispatch('a', '', 'someone');
  await clock.pass(1_000);
  livekit.slots = 1;
  livekit.dispatch('a', 'taken');
  await clock.pass(1_000);
  livekit.dispatch('a', 'later');
  const [agent = ''] = livekit.agents('a');
  const ended = { ...record, job: agent.replace('agent-', '') };
  const withdrawn = withdrawDispatches(livekit.client(), AGENT, ended);
  await clock.pass(100);
  await withdrawn;
  const left = livekit.rooms.get('a')?.dispatches;
  expect(left?.map(({ agentName, metadata }) => [agentName, metadata])).toEqual([
    ['someone', ''],
    [AGENT, 'later'],
  ]);
});

test('nothing is withdrawn for a call of which LiveKit knows no dispatch, or whose room has gone', async () => {
  const deleted: string[] = [];
  const dispatch = { id: 'AD_1', agentName: AGENT, createdAt: 5, jobs: [] } as never;
  const api = {
    listDispatches: async () => [dispatch],
    deleteDispatch: async (_room: string, id: string) => void deleted.push(id),
  };
  await withdrawDispatches(api, AGENT, record);
  const gone = { ...api, listDispatches: () => Promise.reject(new Error('not found')) };
  await withdrawDispatches(gone, AGENT, record);
  expect(deleted).toEqual([]);
});

test('which dispatch was the call’s own is told by its job, whatever the order of the list', async () => {
  const deleted: string[] = [];
  const dispatch = (id: string, createdAt: number, job: string) => ({
    ...{ id, agentName: AGENT, createdAt, jobs: [{ id: job }] },
  });
  await withdrawDispatches(
    {
      listDispatches: async () =>
        [
          dispatch('later', 9, 'AJ_2'),
          dispatch('own', 5, 'AJ_1'),
          dispatch('before', 1, 'AJ_0'),
        ] as never,
      deleteDispatch: async (_room, id) => void deleted.push(id),
    },
    AGENT,
    record,
  );
  expect(deleted).toEqual(['own', 'before']);
});

test('a worker withdraws the dispatches of a call that it ended', async () => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  livekit.join('room-j1', { dispatch: false });
  livekit.dispatch('room-j1', '', '').jobs.push({ id: 'j1', startedAt: 0, identity: 'agent-j1' });
  const rig = await beginWorker({ rooms: livekit.client() });
  rig.register();
  const call = await rig.call('j1');
  call.report({ type: 'ended', job: 'j1', reason: 'max_call_length' });
  call.report({ type: 'closed', job: 'j1' });
  await until('the call has ended', () => rig.calls() === 0);
  await clock.pass(100);
  expect(livekit.rooms.get('room-j1')?.dispatches).toEqual([]);
  rig.signal('SIGTERM');
  for (let i = 0; i < 20; i++) {
    await clock.pass(1_000);
    await rig.clock.pass(1_000);
  }
  expect(await rig.exited).toBe(0);
});

test('a watcher that stops has withdrawn what it was asked to', async () => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, () => 200);
  livekit.slots = 1;
  livekit.join('a');
  await clock.pass(1_000);
  const options = { agentName: AGENT, worker: 'w', requestsPerSecond: 50 };
  const watcher = new CallerWatcher(clock, livekit.client(), options);
  watcher.start();
  await clock.pass(3_000);
  const job = (livekit.agents('a')[0] ?? '').replace('agent-', '');
  void watcher.callEnded({ ...record, job, ended: true, endReason: 'task_stopping' });
  let stopped = false;
  void watcher.stop().then(() => {
    stopped = true;
  });
  await clock.pass(300);
  expect(stopped).toBe(false);
  await clock.pass(300);
  expect(stopped).toBe(true);
  expect(livekit.rooms.get('a')?.dispatches).toEqual([]);
});
