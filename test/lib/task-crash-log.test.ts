// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { flat, only, statements, templateWith } from './synth.js';

describe('the log of crashes', () => {
  test('has tasks of this service that ended on their own', () => {
    const { EventPattern, Targets } = only(templateWith(), 'AWS::Events::Rule');
    expect(EventPattern).toMatchObject({
      source: ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      detail: {
        lastStatus: ['STOPPED'],
        $or: [
          { stopCode: ['EssentialContainerExited', 'TaskFailedToStart'] },
          { stoppedReason: [{ prefix: 'Task failed container health checks' }] },
        ],
      },
    });
    expect(flat(EventPattern.detail.group[0])).toMatch(/^service:<AgentService\w+\.Name>$/);
    expect(flat(Targets[0].Arn)).toMatch(/:log-group:<MonitoringTaskCrashesLog\w+>$/);
  });

  test('lets EventBridge write, by a policy of its own', () => {
    const [writes] = statements(templateWith()).filter(({ owner }) =>
      owner.startsWith('MonitoringTaskCrashesLog'),
    );
    expect(writes).toMatchObject({
      Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
      Principal: { Service: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'] },
    });
  });
});
