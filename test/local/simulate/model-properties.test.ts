// SPDX-License-Identifier: Apache-2.0
// What holds for the simulated service, whatever it is asked: no caller is lost, none is counted twice.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import seedrandom from 'seedrandom';
import { simulateService } from '../../../local/simulate/service-model.js';
import { holds } from '../../support/properties.js';

const sum = (values: Float64Array) => values.reduce((all, one) => all + one, 0);
const SECONDS = 900;

const services = fc.record({
  seed: fc.integer(),
  slots: fc.integer({ min: 1, max: 20 }),
  tasks: fc.integer({ min: 0, max: 8 }),
  perSecond: fc.double({ min: 0, max: 3, noNaN: true }),
  callSeconds: fc.integer({ min: 5, max: 600 }),
  patienceSeconds: fc.integer({ min: 0, max: 60 }),
  deploysAt: fc.array(fc.integer({ min: 0, max: SECONDS }), { maxLength: 2 }),
  limits: fc.array(
    fc.record({
      at: fc.integer({ min: 0, max: SECONDS }),
      minTasks: fc.integer({ min: 0, max: 4 }),
      maxTasks: fc.integer({ min: 4, max: 8 }),
    }),
    { maxLength: 3 },
  ),
});

describe('the simulated service', () => {
  test('answers, refuses or keeps waiting every caller, and has no call without a slot', () => {
    holds(
      fc.property(services, ({ seed, tasks, perSecond, ...options }) => {
        const { slots, patienceSeconds } = options;
        const history = simulateService({
          scaling: { minTasks: tasks, maxTasks: 8, policies: [] },
          arrivals: () => perSecond,
          seconds: SECONDS,
          random: seedrandom(String(seed)),
          ...options,
        });
        const { arrivals, refused, calls, waiting, waits } = history;
        expect(sum(arrivals)).toBe(sum(refused) + waits.length + (waiting.at(-1) ?? 0));
        // No second refuses more callers than came in it.
        expect(refused.every((count, second) => count <= (arrivals[second] ?? 0))).toBe(true);
        expect(waits.every(({ seconds }) => seconds >= 0 && seconds <= patienceSeconds)).toBe(true);
        // A call has a slot of a task that is there.
        expect(calls.every((count, second) => count <= (history.tasks[second] ?? 0) * slots)).toBe(
          true,
        );
        // As many calls as were answered and have not ended; each lasts a second at least.
        let answered = 0;
        const byAnswer = new Float64Array(SECONDS);
        for (const { at, seconds } of waits)
          byAnswer[at + seconds] = (byAnswer[at + seconds] ?? 0) + 1;
        const neverMore = calls.every((count, second) => {
          answered += byAnswer[second] ?? 0;
          return count <= answered && count >= (byAnswer[second] ?? 0);
        });
        expect(neverMore).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('waits in the order of arrival', () => {
    holds(
      fc.property(services, ({ seed, perSecond, ...options }) => {
        const { waits } = simulateService({
          scaling: { minTasks: 1, maxTasks: 1, policies: [] },
          arrivals: () => perSecond,
          seconds: 300,
          random: seedrandom(String(seed)),
          slots: options.slots,
          callSeconds: options.callSeconds,
          patienceSeconds: 60,
        });
        expect(waits.map(({ at }) => at)).toEqual(waits.map(({ at }) => at).sort((a, b) => a - b));
      }),
      { numRuns: 30 },
    );
  });

  test.each([0.5, 20, 700, 5_000])('has as many callers as %d a second make', (perSecond) => {
    const { arrivals } = simulateService({
      scaling: { minTasks: 0, maxTasks: 0, policies: [] },
      slots: 1,
      arrivals: () => perSecond,
      seconds: 200,
      callSeconds: 60,
      random: seedrandom('1'),
    });
    // Five standard deviations of the mean of 200 seconds.
    const error = 5 * Math.sqrt(perSecond / 200);
    expect(Math.abs(sum(arrivals) / 200 - perSecond)).toBeLessThan(error);
  });
});
