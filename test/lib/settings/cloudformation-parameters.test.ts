// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';

import { streamQuotaWarning } from '../../../lib/service-limits.js';
import { annotationsOf, Match, stackWith, templateWith } from '../synth.js';

/** Where in the template a parameter is referred to, by `Ref` or in the text of a `Fn::Sub`. */
function usesOf(parameter: string): string[] {
  const { Parameters: _, ...template } = templateWith().toJSON();
  const found: string[] = [];
  const visit = (path: string, value: unknown): void => {
    if (typeof value === 'string' && value.includes(`\${${parameter}}`)) found.push(path);
    if (!value || typeof value !== 'object') return;
    if ((value as { Ref?: string }).Ref === parameter) found.push(path);
    for (const [key, item] of Object.entries(value)) {
      // A resource by its type, a variable of the container by its name: logical IDs and places say nothing.
      const { Type, Name } = (item ?? {}) as { Type?: string; Name?: string };
      visit(`${path} ${Type ?? Name ?? key}`, item);
    }
  };
  for (const [section, value] of Object.entries(template)) visit(section, value);
  return found;
}

describe('a parameter', () => {
  test.each([
    [
      'MinTasks',
      1,
      1,
      500,
      /^Minimum number of tasks; .* Not above MaxTasks\. Effect of a change: In place/,
    ],
    [
      'MaxTasks',
      2,
      1,
      500,
      /^Maximum number of tasks; .* MaxTasks x CallsPerTask .* stream quota of all Regions\. Effect of a change: In place/,
    ],
    [
      'CallsPerTask',
      10,
      1,
      30,
      /^Call slots per task\. At most 30 fit into 4096 MiB; .* a virtual CPU each\. Effect of a change: Replaces tasks/,
    ],
    [
      'TargetSlotUtilization',
      45,
      10,
      80,
      /^Percentage of call slots in use .* costs more\. Effect of a change: In place/,
    ],
  ])('%s has a description, a default and a range', (name, Default, MinValue, MaxValue, text) => {
    const { Description, ...parameter } = templateWith().toJSON().Parameters[name];
    expect(parameter).toEqual({ Type: 'Number', Default, MinValue, MaxValue });
    expect(Description).toMatch(text);
  });

  test('has the default of the setting of the same name', () => {
    const { Parameters } = templateWith({
      ...{ minTasks: 2, maxTasks: 4, callsPerTask: 5, targetSlotUtilization: 40 },
    }).toJSON();
    expect(Parameters.MinTasks.Default).toBe(2);
    expect(Parameters.MaxTasks.Default).toBe(4);
    expect(Parameters.CallsPerTask.Default).toBe(5);
    expect(Parameters.TargetSlotUtilization.Default).toBe(40);
  });

  test('CallsPerTask cannot be more than the memory holds', () => {
    const most = (context: object) =>
      templateWith({ ...context }).toJSON().Parameters.CallsPerTask.MaxValue;
    expect(most({ cpu: 1024, memory: 2048, callsPerTask: 5 })).toBe(10);
    expect(most({ callsPerProcess: 1 })).toBe(18);
    expect(most({ cpu: 8192, memory: 61440 })).toBe(100);
  });

  test('LiveKitSecretArn is empty, or the ARN of the setting, and nothing but an ARN', () => {
    const arn = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:team/livekit-AbCdEf';
    const parameter = (context = {}) => templateWith(context).toJSON().Parameters.LiveKitSecretArn;
    expect(parameter()).toEqual({
      Type: 'String',
      Default: '',
      AllowedPattern: expect.stringMatching(/^\^\$\|\^arn:/),
      ConstraintDescription: expect.stringMatching(/^the ARN of a secret ends in/),
      Description: expect.stringMatching(/^Complete ARN .* is used\. Effect of a change: Replaces/),
    });
    expect(parameter({ liveKitSecret: arn }).Default).toBe(arn);
    expect(parameter({ liveKitSecret: 'team/livekit' }).Default).toBe('');
  });

  test('is one of five', () => {
    const names = Object.keys(templateWith().toJSON().Parameters);
    expect(names.filter((name) => name !== 'BootstrapVersion').sort()).toEqual([
      ...['CallsPerTask', 'LiveKitSecretArn', 'MaxTasks', 'MinTasks', 'TargetSlotUtilization'],
    ]);
  });
});

describe('changing', () => {
  const INTO_ALARM = 'Resources AWS::CloudWatch::Alarm Properties Metrics 0 Expression Fn::Join 1';

  test.each([
    ['MinTasks', 'Resources AWS::ApplicationAutoScaling::ScalableTarget Properties MinCapacity'],
    [
      'MaxTasks',
      'Resources AWS::ApplicationAutoScaling::ScalableTarget Properties MaxCapacity',
      // TasksAtMaximum.
      `${INTO_ALARM} 1`,
    ],
    [
      'CallsPerTask',
      'Resources AWS::ECS::TaskDefinition Properties ContainerDefinitions Agent Environment CALLS_PER_TASK Value',
    ],
    [
      'TargetSlotUtilization',
      'Resources AWS::ApplicationAutoScaling::ScalingPolicy Properties TargetTrackingScalingPolicyConfiguration TargetValue',
      // The rush, and TasksAtMaximum.
      ...[`${INTO_ALARM} 1`, `${INTO_ALARM} 3`],
    ],
  ])('%s moves %s and nothing else', (parameter, ...uses) => {
    expect(usesOf(parameter)).toEqual(uses);
  });
});

describe('more calls than Bedrock has streams', () => {
  const context = { maxTasks: 5, bedrockRegions: 'us-east-1,us-west-2' };

  test('are a warning with the arithmetic', () => {
    annotationsOf(stackWith(context)).hasWarning(
      '*',
      Match.stringLikeRegexp(
        '5 tasks x 10 calls = 50 concurrent calls, but 2 Bedrock Regions x 20 streams = 40.*ack: nova-sonic-livekit:stream-quota.$',
      ),
    );
  });

  test('are described in one sentence for any number of Regions', () => {
    const calls = { maxTasks: 3, callsPerTask: 10, quotaPerRegion: 20 };
    const advice =
      'calls above that fail, so add Regions to "bedrockRegions", lower "maxTasks" or "callsPerTask", or set "streamQuotaPerRegion" to what AWS granted you.';
    expect(streamQuotaWarning({ ...calls, regions: 1 })).toBe(
      `3 tasks x 10 calls = 30 concurrent calls, but 1 Bedrock Region x 20 streams = 20: ${advice}`,
    );
    expect(streamQuotaWarning({ ...calls, maxTasks: 5, regions: 2 })).toBe(
      `5 tasks x 10 calls = 50 concurrent calls, but 2 Bedrock Regions x 20 streams = 40: ${advice}`,
    );
    expect(streamQuotaWarning({ ...calls, maxTasks: 4, regions: 2 })).toBeUndefined();
  });

  test('are counted against the streams of all lanes', () => {
    const calls = { maxTasks: 8, callsPerTask: 10, regions: 1, quotaPerRegion: 20 };
    expect(streamQuotaWarning({ ...calls, lanes: [20, 20, 30] })).toMatch(
      /^8 tasks x 10 calls = 80 concurrent calls, but 3 lanes have 70 streams: calls above that fail, so add accounts or Regions to "lanes"/,
    );
    expect(streamQuotaWarning({ ...calls, lanes: [20, 20, 40] })).toBeUndefined();
    const role = 'arn:aws:iam::111122223333:role/lane';
    const lanes = [{ region: 'us-east-1' }, { region: 'us-east-1', role, streams: 29 }];
    annotationsOf(stackWith({ maxTasks: 5, lanes })).hasWarning(
      '*',
      Match.stringLikeRegexp('2 lanes have 49 streams'),
    );
  });

  test('are counted at the highest maximum of the day', () => {
    const schedules = [
      { cron: '0 8 ? * *', minTasks: 1, maxTasks: 6 },
      { cron: '0 20 ? * *', minTasks: 1, maxTasks: 1 },
    ];
    annotationsOf(stackWith({ schedules })).hasWarning(
      '*',
      Match.stringLikeRegexp('6 tasks x 10 calls = 60 concurrent .*, lower "schedules" or'),
    );
    const calls = { callsPerTask: 10, regions: 1, quotaPerRegion: 20 };
    expect(streamQuotaWarning({ ...calls, maxTasks: 7, schedules, lanes: [20] })).toMatch(
      /^7 tasks x 10 calls = 70 .*, lower "maxTasks" or/,
    );
  });

  test('are none when AWS granted more', () => {
    const granted = stackWith({ ...context, streamQuotaPerRegion: 25 });
    annotationsOf(granted).hasNoWarning('*', Match.stringLikeRegexp('concurrent calls'));
  });

  test('are none by default', () => {
    annotationsOf(stackWith()).hasNoWarning('*', Match.anyValue());
  });
});
