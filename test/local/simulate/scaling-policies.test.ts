// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import {
  compileExpression,
  readScaling,
  type ScalingTemplate,
} from '../../../local/simulate/scaling-policies.js';
import { templateWith } from '../../lib/synth.js';

const template = templateWith().toJSON() as ScalingTemplate;
const policy = (type: 'step' | 'tracking', values = {}) =>
  readScaling(template, values).policies.find((one) => one.type === type);

describe('the policies of the stack', () => {
  test('are read with the defaults of the parameters, or other values', () => {
    expect(readScaling(template)).toMatchObject({ minTasks: 1, maxTasks: 2 });
    const values = { MinTasks: 3, MaxTasks: 40, TargetSlotUtilization: 50 };
    expect(readScaling(template, values)).toMatchObject({ minTasks: 3, maxTasks: 40 });
    expect(policy('tracking', values)).toMatchObject({ targetValue: 50 });
    expect(policy('step', values)?.metric.expression).toMatch(/ 50$/);
  });

  test('track the demand over the capacity', () => {
    expect(policy('tracking')).toMatchObject({
      targetValue: 45,
      metric: {
        expression: '100 * demand / capacity',
        inputs: {
          demand: { name: 'CallDemand', statistic: 'Sum' },
          capacity: { name: 'CallCapacity', statistic: 'Sum' },
        },
      },
      ...{ scaleOutCooldownSeconds: 60, scaleInCooldownSeconds: 300 },
    });
  });

  test('step out on the expected demand', () => {
    const step = policy('step');
    expect(step).toMatchObject({
      metric: {
        expression: '100 * 100 * expected / capacity / 45',
        inputs: { expected: { name: 'ExpectedCallDemand', statistic: 'Sum' } },
      },
      ...{ periodSeconds: 10, evaluationPeriods: 1, threshold: 140, cooldownSeconds: 120 },
      ...{ percent: true, minAdjustment: 1 },
    });
    // Each step has the tasks that the middle of its interval needs.
    if (step?.type !== 'step') throw new Error('no step policy');
    expect(step.steps).toHaveLength(13);
    for (const { lower, upper, change } of step.steps) {
      expect(change).toBeGreaterThanOrEqual(lower + 140 - 100);
      expect(change).toBeLessThanOrEqual(upper + 140 - 100);
    }
  });
});

test('what the simulator does not know is an error', () => {
  const compile = (expression: string) => () => compileExpression({ expression, inputs: {} });
  expect(compile('FILL(m, 0)[0]')).toThrow('does not know the expression');
  expect(() => readScaling({ Resources: {} })).toThrow('no scalable target');
});

test('a division by zero has no value', () => {
  const inputs = {
    demand: { name: 'D', statistic: 'Sum' as const },
    capacity: { name: 'C', statistic: 'Sum' as const },
  };
  const percent = compileExpression({ expression: '100 * demand / capacity', inputs });
  expect([percent([3, 4]), percent([3, 0]), percent([0, 0])]).toEqual([75, undefined, undefined]);
});
