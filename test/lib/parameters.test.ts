// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Annotations } from 'aws-cdk-lib/assertions';
import { Match, stackWith, templateWith } from './synth.js';

/** Where in a template a parameter is referred to: `Resource.Properties.path`. */
function usesOf(parameter: string): string[] {
  const found: string[] = [];
  const visit = (path: string[], value: unknown): void => {
    if (!value || typeof value !== 'object') return;
    if ((value as { Ref?: string }).Ref === parameter) found.push(path.join('.'));
    for (const [key, item] of Object.entries(value)) visit([...path, key], item);
  };
  visit([], templateWith().toJSON().Resources);
  return found;
}

describe('a parameter', () => {
  test.each([
    ['MinTasks', 1, 1, 500],
    ['MaxTasks', 2, 1, 500],
    ['CallsPerTask', 10, 1, 16],
    ['TargetSlotShare', 60, 10, 80],
  ])('%s has a description, a default and a range', (name, Default, MinValue, MaxValue) => {
    const parameter = templateWith().toJSON().Parameters[name];
    expect(parameter).toMatchObject({ Type: 'Number', Default, MinValue, MaxValue });
    expect(parameter.Description).toMatch(/\w+.*\./);
  });

  test('has the default of the setting of the same name', () => {
    const { Parameters } = templateWith({
      ...{ minTasks: 2, maxTasks: 4, callsPerTask: 5, targetSlotShare: 40 },
    }).toJSON();
    expect(Parameters.MinTasks.Default).toBe(2);
    expect(Parameters.MaxTasks.Default).toBe(4);
    expect(Parameters.CallsPerTask.Default).toBe(5);
    expect(Parameters.TargetSlotShare.Default).toBe(40);
  });

  test('CallsPerTask cannot be more than the memory holds', () => {
    const most = (context: object) =>
      templateWith({ ...context }).toJSON().Parameters.CallsPerTask.MaxValue;
    expect(most({ cpu: 1024, memory: 2048, callsPerTask: 5 })).toBe(6);
    expect(most({ cpu: 8192, memory: 61440 })).toBe(100);
  });

  test('there are no others', () => {
    const names = Object.keys(templateWith().toJSON().Parameters);
    expect(names.filter((name) => name !== 'BootstrapVersion').sort()).toEqual([
      ...['CallsPerTask', 'MaxTasks', 'MinTasks', 'TargetSlotShare'],
    ]);
  });
});

describe('changing', () => {
  const shapes: [string, RegExp[]][] = [
    ['MinTasks', [/^\w*TaskCountTarget\w*\.Properties\.MinCapacity$/]],
    [
      'MaxTasks',
      [
        /^\w*TaskCountTarget\w*\.Properties\.MaxCapacity$/,
        // An alarm that says "full at maximum" has to know the maximum.
        /^MonitoringAlarmsSlotsNearlyFullAtMaximum\w*\.Properties\.Metrics\./,
      ],
    ],
    [
      'CallsPerTask',
      [/^AgentTask\w+\.Properties\.ContainerDefinitions\.0\.Environment\.\d+\.Value$/],
    ],
    [
      'TargetSlotShare',
      [
        /^\w*TaskCountTargetSlotShare\w*\.Properties\.TargetTrackingScalingPolicyConfiguration\.TargetValue$/,
      ],
    ],
  ];
  test.each(shapes)('%s moves exactly what it should', (name, expected) => {
    const uses = usesOf(name).sort();
    expect(uses).toHaveLength(expected.length);
    for (const [index, shape] of expected.entries()) {
      expect([...uses].sort((a) => (a.startsWith('Agent') ? -1 : 1))[index]).toMatch(shape);
    }
  });
});

describe('more calls than Bedrock has streams', () => {
  const context = { maxTasks: 5, bedrockRegions: 'us-east-1,us-west-2' };

  test('are a warning with the arithmetic', () => {
    Annotations.fromStack(stackWith(context)).hasWarning(
      '*',
      Match.stringLikeRegexp(
        '5 tasks x 10 calls = 50 calls at once, but 2 Bedrock Regions x 20 streams = 40',
      ),
    );
  });

  test('are none when AWS granted more', () => {
    const granted = stackWith({ ...context, streamQuotaPerRegion: 25 });
    Annotations.fromStack(granted).hasNoWarning('*', Match.stringLikeRegexp('calls at once'));
  });

  test('are none by default', () => {
    Annotations.fromStack(stackWith()).hasNoWarning('*', Match.anyValue());
  });
});
