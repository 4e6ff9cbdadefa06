// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import { LaneWait } from '../../../agent/src/lanes/lane-wait.js';
import { ManualClock } from '../../support/manual-clock.js';

initializeLogger({ pretty: false, level: 'silent' });

let clock: ManualClock;
let metrics: unknown[][];
let queue: string[];
let lines: unknown[];
let others: boolean;
let waits: number;
let wait: LaneWait;
let sonic: EventEmitter;

beforeEach(() => {
  clock = new ManualClock();
  [metrics, queue, lines, others, waits] = [[], [], [], false, 0];
  jest.restoreAllMocks();
  jest.spyOn(log(), 'info').mockImplementation((...args: unknown[]) => void lines.push(args));
  wait = new LaneWait(
    'AJ_1',
    { addMetric: (...args) => void metrics.push(args) },
    {
      laneTurn: (job, refused) => {
        queue.push(`${job} ${refused ? 'refused' : 'asks'}`);
        return others ? new Promise(() => {}) : undefined;
      },
      leaveLaneQueue: (job) => void queue.push(`${job} leaves`),
    },
    clock,
  );
  wait.onWait = () => {
    waits += 1;
  };
  sonic = new EventEmitter();
  wait.observeRealtimeSession(sonic as never);
});

const opened = () => sonic.emit('stream_lifecycle', { type: 'opened' });
const throttled = () => sonic.emit('stream_lifecycle', { type: 'throttled' });

describe('LaneWait', () => {
  it('is no wait where a lane has room', () => {
    expect(wait.turn(false)).toBeUndefined();
    throttled();
    opened();
    wait.close();
    expect([wait.waits, waits, metrics, lines]).toEqual([false, 0, [], []]);
    expect(queue).toEqual(['AJ_1 asks']);
  });

  it('of a call that every lane has refused is measured once, and told when it begins and when it ends', async () => {
    others = true;
    for (let i = 0; i < 20; i++) {
      expect(wait.turn(true)).toBeInstanceOf(Promise);
      await clock.pass(2_000);
      throttled();
    }
    expect([wait.waits, waits]).toEqual([true, 1]);
    opened();
    opened();
    wait.close();
    expect(wait.waits).toBe(false);
    expect(metrics).toEqual([['TimeWaitedForStream', 40_000]]);
    expect(queue.filter((one) => one.endsWith('leaves'))).toHaveLength(1);
    expect(lines).toEqual([
      [{ call_id: 'AJ_1' }, 'caller waits for a stream'],
      [{ call_id: 'AJ_1', waited_ms: 40_000, served: true }, 'caller has waited for a stream'],
    ]);
  });

  it.each([
    ['the plugin gives it up', () => sonic.emit('error', { recoverable: false })],
    ['the call ends', () => wait.close()],
  ])('ends when %s', async (_, end) => {
    wait.turn(true);
    sonic.emit('error', { recoverable: true });
    await clock.pass(3_000);
    expect(wait.waits).toBe(true);
    end();
    expect(metrics).toEqual([['TimeWaitedForStream', 3_000]]);
    expect(lines.at(-1)).toEqual([
      { call_id: 'AJ_1', waited_ms: 3_000, served: false },
      'caller has waited for a stream',
    ]);
  });

  it('begins for a new call while others wait, and not for the next agent of a call', () => {
    others = true;
    expect(wait.turn(false)).toBeInstanceOf(Promise);
    expect(waits).toBe(1);
    opened();
    expect(wait.turn(false)).toBeUndefined();
    expect(wait.waits).toBe(false);
    // In mid conversation it waits as others do.
    expect(wait.turn(true)).toBeInstanceOf(Promise);
    expect(waits).toBe(2);
  });
});
