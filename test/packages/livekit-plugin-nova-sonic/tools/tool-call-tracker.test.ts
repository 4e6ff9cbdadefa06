// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import { z } from 'zod';
import {
  ToolCallTracker,
  TrackedToolContext,
} from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-call-tracker.js';
import { SteppedClock } from '../support/clocks.js';

/** A tracker with one call, `c` of the tool `book`. */
function track() {
  const clock = new SteppedClock();
  /** What the tracker answered itself. */
  const answers: unknown[] = [];
  const events: unknown[] = [];
  const tracker = new ToolCallTracker(
    clock,
    (callId, outcome) => answers.push([callId, outcome.output, outcome.isError]),
    {
      started: ({ callId }) => events.push(`+${callId}`),
      ended: ({ callId, output, isError, ms }) => events.push([callId, output, isError, ms]),
    },
  );
  tracker.called('c', 'book', '{"seats":2}');
  return { clock, answers, events, tracker };
}

/** A tool that ends when the test says so. */
function pendingTool() {
  let resolve!: (value: unknown) => void;
  let reject!: (error: Error) => void;
  const done = new Promise<unknown>((ok, fail) => {
    resolve = ok;
    reject = fail;
  });
  return { execute: () => done, resolve, reject };
}

const UNKNOWN = expect.stringContaining('whether the action was carried out is not known');

describe('ToolCallTracker', () => {
  test('a result that the framework delivers is not answered a second time', async () => {
    const { clock, answers, events, tracker } = track();
    await tracker.run('c', async () => ({ seats: [1, 2] }));
    clock.advance(70);
    expect(tracker.delivered('c', { output: '{"seats":[1,2]}', isError: false })).toBe(true);
    tracker.interrupted();
    clock.advance(60_000);
    expect(answers).toEqual([]);
    expect(events).toEqual(['+c', ['c', '{"seats":[1,2]}', false, 0]]);
    expect(tracker.nameOf('c')).toBeUndefined();
    expect(tracker.delivered('c', { output: 'again', isError: false })).toBe(false);
  });

  describe('after a barge-in', () => {
    test('a tool that still runs is not answered: its result is, when it comes', async () => {
      const { clock, answers, tracker } = track();
      const tool = pendingTool();
      const run = tracker.run('c', tool.execute);
      tracker.interrupted();
      clock.advance(600_000);
      expect(answers).toEqual([]);
      tool.resolve('booked');
      await run;
      tracker.interrupted();
      expect(answers).toEqual([['c', '"booked"', false]]);
    });

    test('a result that the framework had not delivered yet is', async () => {
      const { answers, tracker } = track();
      await tracker.run('c', async () => 'booked');
      expect(answers).toEqual([]);
      tracker.interrupted();
      expect(answers).toEqual([['c', '"booked"', false]]);
      tracker.interrupted();
      expect(answers).toHaveLength(1);
    });

    test('a tool that was never started is answered as interrupted after three seconds', () => {
      const { clock, answers, events, tracker } = track();
      tracker.interrupted();
      clock.advance(2_000);
      // A second barge-in does not put it off.
      tracker.interrupted();
      clock.advance(999);
      expect(answers).toEqual([]);
      clock.advance(1);
      expect(answers).toEqual([['c', UNKNOWN, true]]);
      expect(events).toEqual(['+c', ['c', UNKNOWN, true, 3_000]]);
      expect(clock.pending).toBe(0);
    });

    test('a tool that starts within the three seconds is not answered as interrupted', async () => {
      const { clock, answers, tracker } = track();
      tracker.interrupted();
      clock.advance(2_999);
      const tool = pendingTool();
      const run = tracker.run('c', tool.execute);
      clock.advance(60_000);
      expect(answers).toEqual([]);
      tool.resolve(undefined);
      await run;
      tracker.interrupted();
      expect(answers).toEqual([['c', '', false]]);
    });
  });

  describe('a tool that the framework cancels', () => {
    test('is answered with its result when it ends within half a second', async () => {
      const { clock, answers, tracker } = track();
      const tool = pendingTool();
      const abort = new AbortController();
      const run = tracker.run('c', tool.execute, abort.signal);
      abort.abort();
      clock.advance(499);
      expect(answers).toEqual([]);
      tool.resolve('booked');
      await run;
      expect(answers).toEqual([['c', '"booked"', false]]);
      clock.advance(60_000);
      expect(answers).toHaveLength(1);
    });

    test('is answered as interrupted after half a second, and not again when it ends', async () => {
      const { clock, answers, tracker } = track();
      const tool = pendingTool();
      const abort = new AbortController();
      const run = tracker.run('c', tool.execute, abort.signal);
      abort.abort();
      clock.advance(500);
      expect(answers).toEqual([['c', UNKNOWN, true]]);
      tool.resolve('booked');
      expect(await run).toBe('booked');
      expect(answers).toHaveLength(1);
    });

    test('leaves no timer, whatever it returns', async () => {
      const { clock, answers, tracker } = track();
      const tool = pendingTool();
      const abort = new AbortController();
      const run = tracker.run('c', tool.execute, abort.signal);
      abort.abort();
      tool.resolve(() => 1);
      await run;
      expect(clock.pending).toBe(0);
      expect(answers).toHaveLength(1);
    });

    test('after it has ended is no matter', async () => {
      const { clock, answers, tracker } = track();
      const abort = new AbortController();
      await tracker.run('c', async () => 'booked', abort.signal);
      abort.abort();
      clock.advance(60_000);
      expect(answers).toEqual([]);
    });
  });

  test.each([
    ['an Error', new Error('secret path'), 'An internal error occurred', true],
    ['a ToolError', new llm.ToolError('no seats left'), 'no seats left', true],
  ])('%s that a tool throws reaches the framework, and ends the call', async (_, error, output) => {
    const { clock, answers, events, tracker } = track();
    await expect(tracker.run('c', () => Promise.reject(error))).rejects.toBe(error);
    // The framework delivers it.
    clock.advance(60_000);
    expect(answers).toEqual([]);
    expect(events).toEqual(['+c', ['c', output, true, 0]]);
    tracker.interrupted();
    expect(answers).toEqual([['c', output, true]]);
  });

  test('an Error that a tool returns is one that it made', async () => {
    const { events, tracker } = track();
    await tracker.run('c', async () => new Error('closed on Mondays'));
    expect(events.at(-1)).toEqual(['c', 'closed on Mondays', true, 0]);
  });

  test('StopResponse is answered by the tracker: the framework drops it', async () => {
    const { clock, answers, tracker } = track();
    const stop = Object.assign(new Error('stop'), { name: 'StopResponse' });
    await expect(tracker.run('c', () => Promise.reject(stop))).rejects.toBe(stop);
    clock.advance(0);
    expect(answers).toEqual([['c', 'done; no reply is needed', false]]);
  });

  test.each([
    ['a function', () => 1],
    ['a bigint', 5n],
    ['a symbol', Symbol('s')],
  ])(
    '%s, which the framework does not take for a result, is answered by the tracker',
    async (_, value) => {
      const { clock, answers, tracker } = track();
      expect(await tracker.run('c', async () => value)).toBe(value);
      clock.advance(0);
      expect(answers).toMatchObject([['c', expect.any(String), false]]);
    },
  );

  test('a call that nobody knows is run all the same', async () => {
    const { answers, events, tracker } = track();
    expect(await tracker.run('other', async () => 7)).toBe(7);
    expect(events).toEqual(['+c']);
    expect(answers).toEqual([]);
  });

  test('closing forgets everything, and gives the calls whose tools still run', async () => {
    const { clock, answers, tracker } = track();
    const began = clock.now();
    tracker.called('ended', 'book', '{}');
    await tracker.run('ended', async () => 'done');
    tracker.called('waiting', 'book', '{}');
    tracker.interrupted();
    clock.advance(10);
    const tool = pendingTool();
    void tracker.run('c', tool.execute);
    expect(tracker.close()).toEqual([
      { callId: 'c', name: 'book', args: '{"seats":2}', since: began },
    ]);
    expect(clock.pending).toBe(0);
    tool.resolve(1);
    clock.advance(60_000);
    // `ended` was answered by the barge-in.
    expect(answers).toEqual([['ended', '"done"', false]]);
    expect(tracker.close()).toEqual([]);
  });

  test('an adopted call is one whose tool runs, since when it did', () => {
    const { clock, answers, events, tracker } = track();
    tracker.adopt({ callId: 'old', name: 'pay', args: '{}', since: clock.now() - 5_000 });
    expect(tracker.nameOf('old')).toBe('pay');
    tracker.interrupted();
    clock.advance(4_000);
    // Unlike `c`, which was never started.
    expect(answers).toEqual([['c', UNKNOWN, true]]);
    expect(tracker.delivered('old', { output: 'paid', isError: false })).toBe(true);
    expect(events.at(-1)).toEqual(['old', 'paid', false, 9_000]);
  });
});

test('TrackedToolContext: the framework finds the same tools, and running one is tracked', async () => {
  const { events, tracker } = track();
  const book = llm.tool({
    description: 'Books seats',
    parameters: z.object({ seats: z.number() }),
    execute: async ({ seats }) => `${seats} seats`,
  });
  const tools = new TrackedToolContext(new llm.ToolContext({ book }), tracker);
  expect(tools.getFunctionTool('pay')).toBeUndefined();
  const found = tools.getFunctionTool('book');
  expect(found?.description).toBe('Books seats');
  const options = { toolCallId: 'c', abortSignal: undefined } as unknown as Parameters<
    NonNullable<typeof found>['execute']
  >[1];
  expect(await found?.execute({ seats: 2 }, options)).toBe('2 seats');
  expect(events.at(-1)).toEqual(['c', '"2 seats"', false, 0]);
});
