// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { VoiceAgentMonitoring } from '../../../lib/monitoring/voice-agent-monitoring.js';
import { VoiceAgentService } from '../../../lib/service/voice-agent-service.js';
import { flat, only, resources, stackOf, templateOf, templateWith } from '../synth.js';

const rule = () => only(templateWith(), 'AWS::Events::Rule');
const [cluster] = resources(templateWith(), 'AWS::ECS::Cluster')[0] ?? [];
const [log, kept] =
  resources(templateWith(), 'AWS::Logs::LogGroup').find(([id]) => id.includes('TaskCrashes')) ?? [];

describe('the log of crashes', () => {
  test('records tasks of this service that stopped on their own', () => {
    expect(rule().Description).toBe('Tasks of the voice agent that stopped on their own');
    expect(rule().EventPattern).toEqual({
      source: ['aws.ecs'],
      'detail-type': ['ECS Task State Change'],
      detail: {
        clusterArn: [{ 'Fn::GetAtt': [cluster, 'Arn'] }],
        group: [{ prefix: 'service:' }],
        taskDefinitionArn: [{ prefix: expect.anything() }],
        lastStatus: ['STOPPED'],
        $or: [
          { stopCode: ['EssentialContainerExited', 'TaskFailedToStart'] },
          { stoppedReason: [{ prefix: 'Task failed container health checks' }] },
        ],
      },
    });
    // Of every revision, and of no other family.
    const { Family } = only(templateWith(), 'AWS::ECS::TaskDefinition');
    expect(flat(rule().EventPattern.detail.taskDefinitionArn[0].prefix)).toBe(
      `arn:<AWS::Partition>:ecs:<AWS::Region>:<AWS::AccountId>:task-definition/${Family}:`,
    );
  });

  test('is there before the first task and after the last one', () => {
    const [, service] = resources(templateWith(), 'AWS::ECS::Service')[0] ?? [];
    const [id] = resources(templateWith(), 'AWS::Events::Rule')[0] ?? [];
    expect(service?.DependsOn).toEqual(expect.arrayContaining([id, log]));
  });

  test('is written by EventBridge, which its policy allows', () => {
    // Without the ":*" of the log group's attribute, which EventBridge refuses.
    expect(rule().Targets.map(({ Arn }: { Arn: unknown }) => flat(Arn))).toEqual([
      `arn:<AWS::Partition>:logs:<AWS::Region>:<AWS::AccountId>:log-group:<${log}>`,
    ]);
    expect(kept?.Properties.ResourcePolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Action: ['logs:CreateLogStream', 'logs:PutLogEvents'],
          Principal: { Service: ['events.amazonaws.com', 'delivery.logs.amazonaws.com'] },
          Resource: '*',
        },
      ],
    });
  });

  test('is kept for a month by default, also when the first deployment fails', () => {
    const alone = templateOf(
      stackOf((scope) => {
        const agent = new VoiceAgentService(scope, 'Agent');
        new VoiceAgentMonitoring(scope, 'Monitoring', { agent });
      }),
    );
    const own = resources(alone, 'AWS::Logs::LogGroup').find(([id]) => id.includes('TaskCrashes'));
    expect(own?.[1]).toMatchObject({
      DeletionPolicy: 'Retain',
      Properties: { RetentionInDays: 30 },
    });
  });
});
