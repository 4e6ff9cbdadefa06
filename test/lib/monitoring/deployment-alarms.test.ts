// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Duration } from 'aws-cdk-lib/core';
import {
  DeploymentAlarms,
  type DeploymentAlarmsProps,
} from '../../../lib/monitoring/deployment-alarms.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import {
  annotationsOf,
  Match,
  only,
  resources,
  stackOf,
  templateOf,
  templateWith,
} from '../synth.js';

const withProps = (props: Partial<DeploymentAlarmsProps>) =>
  templateOf(
    stackOf((scope) => {
      const agent = new VoiceAgentService(scope, 'Agent', { serviceName: 'phones' });
      new DeploymentAlarms(scope, 'Deployment', { agent, ...props });
    }),
  );

// biome-ignore lint/suspicious/noExplicitAny: templates have no types
const alarmsOf = (template: ReturnType<typeof templateWith>): Record<string, any> =>
  Object.fromEntries(
    resources(template, 'AWS::CloudWatch::Alarm')
      .filter(([id]) => id.startsWith('Deployment'))
      .map(([id, { Properties }]) => [
        /^Deployment(?:Alarms)?(\w+)\w{8}$/.exec(id)?.[1],
        { id, ...Properties },
      ]),
  );

describe('deployment alarms', () => {
  const template = templateWith();
  const alarms = alarmsOf(template);

  test('roll a deployment of the app back, and let it complete early otherwise', () => {
    expect(only(template, 'AWS::ECS::Service').DeploymentConfiguration).toMatchObject({
      Alarms: {
        Enable: true,
        Rollback: true,
        AlarmNames: Object.values(alarms).map(({ id }) => ({ Ref: id })),
      },
      DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      EarlySuccessCriteria: { Enable: true, SourceServiceRevisionCleanup: 'DEFERRED' },
    });
    expect(Object.keys(alarms).sort()).toEqual([
      'JobCrashes',
      'RepliesMissing',
      'ReplyLatency',
      'StreamErrors',
    ]);
  });

  test('look back for the bake time, of which one bad period is enough', () => {
    const looksBack = (of: ReturnType<typeof alarmsOf>) =>
      Object.fromEntries(
        Object.entries(of).map(([name, { EvaluationPeriods, DatapointsToAlarm, Period }]) => [
          name,
          [EvaluationPeriods, DatapointsToAlarm, Period].filter(Boolean),
        ]),
      );
    expect(looksBack(alarms)).toEqual({
      StreamErrors: [10, 1, 60],
      JobCrashes: [10, 1, 60],
      ReplyLatency: [10, 3],
      RepliesMissing: [2, 1],
    });
    expect(looksBack(alarmsOf(withProps({ bakeTime: Duration.minutes(2) })))).toEqual({
      StreamErrors: [2, 1, 60],
      JobCrashes: [2, 1, 60],
      ReplyLatency: [2, 2],
      RepliesMissing: [1, 1],
    });
  });

  test('stay silent without calls: no data is no failure, and few replies make no percentile', () => {
    for (const { TreatMissingData } of Object.values(alarms)) {
      expect(TreatMissingData).toBe('notBreaching');
    }
    const expression = (name: string) =>
      alarms[name].Metrics.find(({ Expression }: { Expression?: string }) => Expression).Expression;
    expect(expression('ReplyLatency')).toBe('IF(replies >= 5, latency, 0)');
    expect(expression('RepliesMissing')).toBe('IF(FILL(turns, 0) > 0, 0, accepted)');
  });

  test('do not refer to the service, which refers to them', () => {
    expect(JSON.stringify(alarms)).not.toMatch(/AgentService|TaskDefinition/);
    expect(JSON.stringify(alarms)).not.toContain('DependsOn');
  });

  test('take other thresholds', () => {
    const thresholds = { streamErrors: 9, callsWithoutReply: 7 };
    const other = alarmsOf(withProps({ thresholds }));
    expect([other.StreamErrors.Threshold, other.RepliesMissing.Threshold]).toEqual([9, 7]);
    expect([alarms.StreamErrors.Threshold, alarms.RepliesMissing.Threshold]).toEqual([3, 3]);
  });

  test('stand beside those of the service, and are silent in the synth', () => {
    const stack = stackOf((scope) => {
      const deploymentAlarms = { alarmNames: ['theirs'] };
      const agent = new VoiceAgentService(scope, 'Agent', { deploymentAlarms });
      new DeploymentAlarms(scope, 'Deployment', { agent });
    });
    const { Alarms } = only(templateOf(stack), 'AWS::ECS::Service').DeploymentConfiguration;
    expect(Alarms.AlarmNames).toEqual(['theirs', ...Array(4).fill({ Ref: expect.any(String) })]);
    expect(annotationsOf(stack).findInfo('*', Match.anyValue())).toEqual([]);
  });

  test('can be left out, and refuse a bake time that is none', () => {
    const without = templateWith({ bakeMinutes: 0 });
    expect(alarmsOf(without)).toEqual({});
    expect(only(without, 'AWS::ECS::Service').DeploymentConfiguration).not.toHaveProperty('Alarms');
    expect(() => withProps({ bakeTime: Duration.minutes(181) })).toThrow(
      '"bakeTime" cannot be 181: it must be a whole number from 1 to 180 minutes.',
    );
  });
});
