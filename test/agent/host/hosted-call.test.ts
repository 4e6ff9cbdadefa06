// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
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

describe('the clean-up of a call', () => {
  afterEach(() => {
    jest.useRealTimers();
  });

  /** A call each of whose steps takes for ever, unless the test says how long. */
  function hanging(milliseconds: Partial<Record<(typeof STEPS)[number], number>> = {}) {
    jest.useFakeTimers();
    const startedAt = Date.now();
    const steps: [step: string, at: number][] = [];
    const take = (step: (typeof STEPS)[number]) => {
      steps.push([step, Date.now() - startedAt]);
      const ms = milliseconds[step];
      return new Promise<void>((resolve) => {
        if (ms !== undefined) setTimeout(resolve, ms);
      });
    };
    const agent = defineAgent({
      entry: (ctx) => {
        Object.assign(ctx, { _primaryAgentSession: { close: () => take('session') } });
        ctx.room.disconnect = () => take('room');
        ctx.addShutdownCallback(() => take('callbacks'));
        ctx.addShutdownCallback(async () => {});
        return take('entry');
      },
    });
    agent.onSessionEnd = () => take('session end');
    const call = new HostedCall(agent, new JobProcess(), info('a'));
    let endedAt: number | undefined;
    void call.run().then(() => {
      endedAt = Date.now() - startedAt;
    });
    return { call, steps, endedAt: () => endedAt };
  }
  const STEPS = ['entry', 'session', 'session end', 'room', 'callbacks'] as const;

  test('is in the order of the framework’s, each step after the one before', async () => {
    const ms = { entry: 100, session: 200, 'session end': 300, room: 400, callbacks: 500 };
    const { call, steps, endedAt } = hanging(ms);
    await jest.advanceTimersByTimeAsync(50);
    call.close('asked');
    await jest.advanceTimersByTimeAsync(10_000);
    expect(steps).toEqual([
      ['entry', 0],
      ['session', 100],
      ['session end', 300],
      ['room', 600],
      ['callbacks', 1_000],
    ]);
    expect(endedAt()).toBe(1_500);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('waits for no step for longer than that may take', async () => {
    const { call, steps, endedAt } = hanging();
    call.close('asked');
    await jest.advanceTimersByTimeAsync(200_000);
    expect(steps).toEqual([
      ['entry', 0],
      ['session', 15_000],
      ['session end', 18_000],
      ['room', 78_000],
      ['callbacks', 88_000],
    ]);
    expect(endedAt()).toBe(148_000);
  });
});
