// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import {
  defineAgent,
  initializeLogger,
  type JobContext,
  JobProcess,
  log,
  type RunningJobInfo,
  telemetry,
} from '@livekit/agents';
import { RoomEvent } from '@livekit/rtc-node';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { installCallLogging } from '../../../agent/src/host/call-context.js';
import { HostedCall } from '../../../agent/src/host/hosted-call.js';
import { callSpanContext } from '../../../agent/src/tracing/call-trace-ids.js';
import { createCallerWatcher } from '../../../agent/src/watcher/create-caller-watcher.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { AGENT, SimulatedLiveKit } from '../watcher/simulated-livekit.js';
import { beginWorker } from '../worker/worker-rig.js';
import { keepTraces } from './in-memory-traces.js';

initializeLogger({ pretty: false, level: 'silent' });

const inMemory = keepTraces();

const callOf = (span: ReadableSpan, jobs: readonly string[]) =>
  jobs.find((job) => callSpanContext(job).traceId === span.spanContext().traceId);

it('two calls of a process keep their traces apart, also in what LiveKit’s client calls', async () => {
  installCallLogging();
  const ids: Record<string, unknown> = {};
  const rooms: JobContext[] = [];
  const begin = (id: string) => {
    const entry = async (ctx: JobContext) => {
      rooms.push(ctx);
      ctx.room.on(RoomEvent.ParticipantConnected, () => {
        telemetry.tracer.startSpan({ name: `of ${id}` }).end();
        ids[id] = log().bindings().trace_id;
      });
    };
    const info = { job: { id, room: { sid: `RM_${id}` } } } as RunningJobInfo;
    const call = new HostedCall(defineAgent({ entry }), new JobProcess(), info);
    return { call, ended: call.run() };
  };
  const calls = ['AJ_1', 'AJ_2'].map(begin);
  await until('both have begun', () => rooms.length === 2);
  // The native client belongs to no call.
  for (const { room } of rooms) room.emit(RoomEvent.ParticipantConnected, undefined as never);
  for (const { call } of calls) call.close('done');
  await Promise.all(calls.map(({ ended }) => ended));
  await inMemory.traces.flush(1_000);
  const found = inMemory.exporter
    .getFinishedSpans()
    .map((span) => [span.name, callOf(span, Object.keys(ids))]);
  expect(found).toEqual([
    ['of AJ_1', 'AJ_1'],
    ['of AJ_2', 'AJ_2'],
  ]);
  expect(ids).toEqual({
    AJ_1: callSpanContext('AJ_1').traceId,
    AJ_2: callSpanContext('AJ_2').traceId,
  });
});

it('the worker writes the root of a call whose process died, when it has ended for good', async () => {
  // The worker's own clock counts from its start.
  const rig = await beginWorker({ wallClock: () => 1_800_000_000_000 });
  const { die } = await rig.call('AJ_1');
  await rig.clock.pass(2_000);
  die();
  await until('the slot is free', () => rig.calls() === 0);
  await inMemory.traces.flush(1_000);
  const [root, ...others] = inMemory.exporter.getFinishedSpans();
  expect(others).toEqual([]);
  expect(root?.name).toBe('call');
  expect([root?.startTime[0], root?.endTime[0]]).toEqual([1_799_999_998, 1_800_000_000]);
  expect(root?.spanContext()).toMatchObject({ spanId: callSpanContext('AJ_1').spanId });
  expect(root?.attributes).toMatchObject({
    'lk.job_id': 'AJ_1',
    'nova_sonic.end_reason': 'crashed',
    'nova_sonic.crashes': 1,
  });
  rig.signal('SIGTERM');
  await rig.clock.pass(5_000);
  await rig.exited;
});

it('the watcher adds a dispatch of its own to the trace of the call that came of it', async () => {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  const watcher = createCallerWatcher(
    readWorkerConfig({
      LIVEKIT_URL: 'ws://127.0.0.1:7880',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secret',
      LIVEKIT_AGENT_NAME: AGENT,
      WAITING_LINE_CALLERS: '0',
    }),
    { add: () => {} },
    {
      clock,
      wallClock: livekit.wallClock,
      random: () => 0.5,
      createRooms: () => livekit.client(),
      connectPresence: () => livekit.presence().connect,
    },
    { room: () => 1, onServing: () => {} },
  );
  watcher?.start();
  await clock.pass(3_000);
  livekit.join('a');
  await clock.pass(10_000);
  livekit.slots = 1;
  await clock.pass(3_000);
  expect(livekit.answered).toHaveLength(1);
  await inMemory.traces.flush(1_000);
  const jobs = livekit.rooms.get('a')?.dispatches.flatMap((one) => one.jobs.map(({ id }) => id));
  const [redispatch] = inMemory.exporter.getFinishedSpans();
  expect(redispatch?.name).toBe('redispatch');
  expect(redispatch && callOf(redispatch, jobs ?? [])).toBe(jobs?.at(-1));
  // As long as the caller waited.
  expect(redispatch?.duration[0]).toBeGreaterThanOrEqual(9);
  expect(redispatch?.attributes).toEqual({ 'nova_sonic.room_sid': livekit.rooms.get('a')?.sid });
});
