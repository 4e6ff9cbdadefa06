// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, test } from '@jest/globals';
import { Deployments } from './deployed.js';

const ARN = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:nova-sonic-agent/livekit-AbCdEf';
const OTHER = 'arn:aws:secretsmanager:us-east-1:111122223333:secret:other/livekit-GhIjKl';
const TARGET = 'AgentServiceTaskCountTarget';
/** The alarm that compares the number of tasks with their maximum. */
const AT_MAXIMUM = 'MonitoringAlarmsTasksAtMaximum.Metrics';
const SECRET = [
  'AgentRolesExecutionDefaultPolicy.PolicyDocument',
  'AgentTask.ContainerDefinitions',
];

let stack: Deployments;
beforeEach(() => {
  stack = new Deployments();
});

/** The secret that a task gets its address from, and the ARNs that ECS may read. */
function secretInUse(): { value: unknown; readable: unknown } {
  const { AgentTask = {}, AgentRolesExecutionDefaultPolicy: execution = {} } = stack.deployed ?? {};
  const [container] = AgentTask.ContainerDefinitions as [{ Secrets: [{ ValueFrom: unknown }] }];
  const policy = execution.PolicyDocument as {
    Statement: { Action: unknown; Resource: unknown }[];
  };
  return {
    value: container.Secrets[0].ValueFrom,
    readable: policy.Statement.find(({ Action }) => Action === 'secretsmanager:GetSecretValue')
      ?.Resource,
  };
}

describe('the sequence of the documents', () => {
  test('changes in each step only what the step is about', () => {
    stack.deploy({}, { LiveKitSecretArn: ARN });
    expect(secretInUse()).toEqual({ value: `${ARN}:LIVEKIT_URL::`, readable: [ARN] });

    // Again, as after a pull without changes.
    expect(stack.deploy({})).toEqual([]);
    // "Change the limits": the secret stays what it was, although no one names it.
    expect(stack.deploy({}, { MaxTasks: 40, MinTasks: 4 })).toEqual([
      `${TARGET}.MaxCapacity`,
      `${TARGET}.MinCapacity`,
      AT_MAXIMUM,
    ]);
    expect(stack.deploy({}, { TargetSlotUtilization: 55 })).toEqual([
      AT_MAXIMUM,
      'ScalingCalls.TargetTrackingScalingPolicyConfiguration',
      'ScalingRushAlarm.Metrics',
    ]);
    expect(stack.deploy({}, { CallsPerTask: 12 })).toEqual(['AgentTask.ContainerDefinitions']);
    // A setting for one deployment with -c, and without it again.
    const debug = stack.deploy({ logLevel: 'debug' });
    expect(debug).toEqual(['AgentTask.ContainerDefinitions']);
    expect(stack.deploy({})).toEqual(debug);
    // Settings that are the defaults of parameters do nothing to a stack that exists.
    expect(stack.deploy({ minTasks: 2, maxTasks: 9, callsPerTask: 3 })).toEqual([]);
    // Another secret.
    expect(stack.deploy({}, { LiveKitSecretArn: OTHER })).toEqual(SECRET);
  });

  test('lanes in other accounts replace the tasks; their quotas do not', () => {
    const role = 'arn:aws:iam::222233334444:role/voice-agent-lane';
    const lanes = (streams?: number) => [
      { region: 'us-east-1' },
      { region: 'us-east-1', role, ...(streams && { streams }) },
    ];
    const watched = [
      'MonitoringAlarmsStreamQuotaUtilizationHigh.AlarmDescription',
      'MonitoringAlarmsStreamQuotaUtilizationHigh.Metrics',
      'MonitoringDashboard.DashboardBody',
    ];
    stack.deploy({});
    expect(stack.deploy({ lanes: lanes() })).toEqual([
      'AgentRolesTaskDefaultPolicy.PolicyDocument',
      'AgentTask.ContainerDefinitions',
      ...watched,
    ]);
    expect(stack.deploy({ lanes: lanes(50) })).toEqual(watched);
  });

  test('a schedule is one property of the scalable target, beside its limits', () => {
    stack.deploy({}, { MaxTasks: 40 });
    const schedules = [{ cron: '0 8 ? * MON-FRI', minTasks: 4, maxTasks: 20 }];
    expect(stack.deploy({ schedules })).toEqual([`${TARGET}.ScheduledActions`, AT_MAXIMUM]);
    // The alarm compares with the highest maximum of the schedules.
    expect(stack.deploy({ schedules }, { MaxTasks: 50 })).toEqual([`${TARGET}.MaxCapacity`]);
    expect(stack.deploy({})).toEqual([`${TARGET}.ScheduledActions`, AT_MAXIMUM]);
  });
});

describe('the ARN of the LiveKit secret', () => {
  test('that was set once with -c is kept by later deployments', () => {
    stack.deploy({ liveKitSecret: ARN });
    expect(stack.deploy({}, { MaxTasks: 40 })).toEqual([`${TARGET}.MaxCapacity`, AT_MAXIMUM]);
    expect(secretInUse()).toEqual({ value: `${ARN}:LIVEKIT_URL::`, readable: [ARN] });
  });

  test('in a setting takes effect on a stack that was deployed with the name', () => {
    stack.deploy({});
    expect(stack.deploy({ liveKitSecret: ARN })).toEqual(SECRET);
    expect(secretInUse().readable).toEqual([ARN]);
  });

  test('empty means the name, which may be read with and without the random suffix', () => {
    stack.deploy({ liveKitSecret: 'team/livekit' });
    const { value, readable } = secretInUse();
    expect(JSON.stringify(value)).toMatch(/:secret:team\/livekit.*:LIVEKIT_URL::/);
    const ends = (readable as unknown[]).map(
      (arn) => JSON.stringify(arn).match(/secret:([^"]+)/)?.[1],
    );
    expect(ends.sort()).toEqual(['team/livekit', 'team/livekit-??????']);
    // Given and taken back.
    expect(stack.deploy({ liveKitSecret: 'team/livekit' }, { LiveKitSecretArn: ARN })).toEqual(
      SECRET,
    );
    expect(stack.deploy({ liveKitSecret: 'team/livekit' }, { LiveKitSecretArn: '' })).toEqual(
      SECRET,
    );
  });

  test.each(['nova-sonic-agent/livekit', ARN.slice(0, -7), `${ARN}:LIVEKIT_URL::`, ` ${ARN}`])(
    'cannot be %j',
    (LiveKitSecretArn) => {
      expect(() => stack.deploy({}, { LiveKitSecretArn })).toThrow(
        'LiveKitSecretArn does not match',
      );
    },
  );
});
