// SPDX-License-Identifier: Apache-2.0

import { beforeAll, expect, test } from '@jest/globals';
import {
  defineAgent,
  getJobContext,
  initializeLogger,
  type JobContext,
  JobProcess,
  type RunningJobInfo,
} from '@livekit/agents';
import { RoomEvent } from '@livekit/rtc-node';
import { currentCall, installCallLogging } from '../../../agent/src/host/call-context.js';
import { HostedCall } from '../../../agent/src/host/hosted-call.js';

beforeAll(() => {
  initializeLogger({ pretty: false, level: 'silent' });
  installCallLogging();
});

const info = (id: string) => ({ job: { id, room: { sid: `RM_${id}` } } }) as RunningJobInfo;

/** Runs a call whose entry function is `entry`. */
function hosted(id: string, entry: (ctx: JobContext) => Promise<void>) {
  const call = new HostedCall(defineAgent({ entry }), new JobProcess(), info(id));
  return { call, ended: call.run() };
}

test('two calls at once each find their own job and call', async () => {
  const found: Record<string, unknown> = {};
  const calls = ['a', 'b'].map((id) =>
    hosted(id, async (ctx) => {
      await new Promise((resolve) => setImmediate(resolve));
      found[id] = [getJobContext().job.id, currentCall()?.callId];
      ctx.shutdown('done');
    }),
  );
  await Promise.all(calls.map(({ ended }) => ended));
  expect(found).toEqual({ a: ['a', 'a'], b: ['b', 'b'] });
});

test('the end closes the room, then runs every shutdown callback in the context of the call', async () => {
  const steps: unknown[] = [];
  const { call, ended } = hosted('a', async (ctx) => {
    ctx.room.disconnect = async () => {
      steps.push('room');
    };
    ctx.addShutdownCallback(async () => {
      throw new Error('a callback that fails');
    });
    ctx.addShutdownCallback(async () => {
      steps.push(currentCall()?.callId);
    });
  });
  call.close('asked');
  await ended;
  expect(steps).toEqual(['room', 'a']);
});

test('an entry function that throws ends its call, and nothing else', async () => {
  const { ended } = hosted('a', async () => {
    throw new Error('setup failed');
  });
  await expect(ended).resolves.toBeUndefined();
});

test('a room that is closed from outside ends the call', async () => {
  const { ended } = hosted('a', async ({ room }) => {
    room.emit(RoomEvent.Disconnected, 0);
  });
  await ended;
});
