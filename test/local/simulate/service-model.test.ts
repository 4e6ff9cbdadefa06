// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import seedrandom from 'seedrandom';
import { CALL_MINUTE_USD, TASK_HOUR_USD } from '../../../local/simulate/hourly-cost.js';
import { plotSvg } from '../../../local/simulate/plot.js';
import { summarize, summaryTable } from '../../../local/simulate/report.js';
import { refusedPercent, runPattern, sum } from '../../../local/simulate/run-pattern.js';
import {
  readScaling,
  type ScalingTemplate,
  type ServiceScaling,
} from '../../../local/simulate/scaling-policies.js';
import {
  type ArrivalPattern,
  FROM_IDLE,
  PATTERNS,
  STEADY,
} from '../../../local/simulate/scenarios.js';
import {
  type ServiceModelOptions,
  simulateService,
} from '../../../local/simulate/service-model.js';
import { templateWith } from '../../lib/synth.js';

const template = templateWith().toJSON() as ScalingTemplate;
const deployed = (values = {}) => readScaling(template, { MaxTasks: 5000, ...values });
const fixed = (tasks: number, more: Partial<ServiceScaling> = {}): ServiceScaling => ({
  ...{ minTasks: tasks, maxTasks: 100, policies: [], ...more },
});
const COMMON = { slots: 10, callSeconds: 300, targetPercent: 45 };
const model = (options: Partial<ServiceModelOptions>) =>
  simulateService({
    ...{ scaling: fixed(1), slots: 10, callSeconds: 300, seconds: 600 },
    ...{ arrivals: () => 0, random: seedrandom('1') },
    ...options,
  });
const run = (
  pattern: ArrivalPattern,
  calls: number,
  { scaling = deployed(), warmUpSeconds = 1800, seed = 7 } = {},
) =>
  runPattern(pattern, {
    ...{ ...COMMON, scaling, calls, warmUpSeconds },
    random: seedrandom(String(seed)),
  });
const mean = (values: number[]) => values.reduce((sum, one) => sum + one, 0) / values.length;

describe('a service', () => {
  test('refuses whoever finds no free slot, and counts each caller once', () => {
    const { arrivals, refused, waits, calls } = model({ arrivals: () => 0.5 });
    expect(sum(refused)).toBeGreaterThan(100);
    expect(sum(refused) + waits.length).toBe(sum(arrivals));
    expect(Math.max(...calls)).toBe(10);
  });

  test('lets callers wait as long as they have patience', () => {
    const { arrivals, refused, waits, waiting } = model({
      ...{ arrivals: (at: number) => (at < 60 ? 0.5 : 0), callSeconds: 60, patienceSeconds: 600 },
    });
    expect(sum(refused)).toBe(0);
    expect(waits).toHaveLength(sum(arrivals));
    expect(Math.max(...waits.map(({ seconds }) => seconds))).toBeGreaterThan(10);
    expect(Math.max(...waiting)).toBeGreaterThan(5);
  });

  test('a deployment replaces all tasks and refuses nobody', () => {
    const { refused, tasks, capacity } = model({
      ...{ scaling: fixed(4), arrivals: () => 20 / 300, start: { tasks: 4, calls: 20 } },
      ...{ seconds: 3600, deploysAt: [300] },
    });
    expect(sum(refused)).toBe(0);
    expect([tasks[299], Math.max(...tasks), tasks.at(-1)]).toEqual([4, 8, 4]);
    // Old tasks take calls until the new ones can.
    expect(Math.min(...capacity)).toBe(40);
  });

  test('an evening keeps the calls of the tasks that are one too many', () => {
    const { calls, tasks } = model({
      ...{ scaling: fixed(4), start: { tasks: 4, calls: 25 }, seconds: 3600 },
      limits: [{ at: 60, minTasks: 1, maxTasks: 1 }],
    });
    expect(calls[59]).toBeGreaterThan(12);
    for (let at = 60; at < 3600; at++) {
      // Nobody comes, so calls end one by one; a task that was stopped with calls would take several at once.
      expect((calls[at - 1] ?? 0) - (calls[at] ?? 0)).toBeLessThanOrEqual(3);
    }
    expect([tasks[59], tasks.at(-1)]).toEqual([4, 1]);
  });
});

describe('the policies of the stack', () => {
  // The table of the issue; docs/operations/scaling.md has all of it, from more runs.
  const LIMITS: Record<string, number> = {
    '100 % more within 60 s': 5,
    '150 % more within 60 s': 15,
  };
  const short = PATTERNS.filter(
    ({ name }) => name !== 'ramp from 5 % in 2 h' && name !== 'from idle',
  );

  test.each(short)('100 calls, $name: few are refused', (pattern) => {
    const refused = [1, 2, 3, 4].map((seed) => refusedPercent(run(pattern, 100, { seed })));
    expect(mean(refused)).toBeLessThanOrEqual(LIMITS[pattern.name] ?? 0.5);
  });

  test('from idle, free slots do what the start of a task cannot', () => {
    expect(
      refusedPercent(
        run(FROM_IDLE, 100, { scaling: deployed({ MinTasks: 3 }), warmUpSeconds: 60 }),
      ),
    ).toBeLessThan(2);
  });

  test('ask for the right number of tasks in one step', () => {
    const { history, eventAt } = run(FROM_IDLE, 100, { warmUpSeconds: 60 });
    const steps = new Set(history.desired.slice(eventAt, eventAt + 300));
    expect(steps.size).toBeLessThanOrEqual(5);
    expect(history.desired.at(-1)).toBeGreaterThan(18);
    expect(Math.max(...history.desired)).toBeLessThan(60);
  });

  test('keep a steady service at its target, and scale in slowly', () => {
    const { history, eventAt } = run(STEADY, 100);
    expect(sum(history.tasks, eventAt) / (history.tasks.length - eventAt)).toBeLessThan(30);
    const { desired } = model({
      ...{ scaling: deployed(), start: { tasks: 23, calls: 100 }, seconds: 3600 },
    });
    const at = (minutes: number) => desired[minutes * 60];
    expect([at(0), at(15)]).toEqual([23, 23]);
    expect(at(18)).toBeLessThan(23);
    // Five minutes from one step to the next.
    expect(new Set(desired.slice(0, 21 * 60)).size).toBe(2);
  });

  test('stop at MaxTasks', () => {
    const { history } = run(FROM_IDLE, 100, {
      ...{ scaling: deployed({ MaxTasks: 4 }), warmUpSeconds: 60 },
    });
    expect(Math.max(...history.desired)).toBe(4);
  });
});

describe('the report', () => {
  const steady = run(STEADY, 20, { warmUpSeconds: 300 });

  test('has a row for each pattern, and a plot', () => {
    const summary = summarize([steady]);
    expect(summaryTable([{ summary, minTasks: '3' }])).toMatch(/steady .* 0\.00 % .* 3 /);
    expect(summary.totalUsd).toBeCloseTo(summary.tasksUsd + 20 * 60 * CALL_MINUTE_USD, -1);
    const svg = plotSvg(steady);
    expect(svg).toMatch(/^<svg /);
    expect(svg).toContain('refused callers');
  });

  test('has the prices of docs/cost.md', () => {
    const text = readFileSync(new URL('../../../docs/cost.md', import.meta.url), 'utf8');
    expect(text).toContain(`${TASK_HOUR_USD.toFixed(4)} an hour`);
    expect(text).toMatch(new RegExp(`^Bedrock +${CALL_MINUTE_USD.toFixed(5)}$`, 'm'));
  });
});
