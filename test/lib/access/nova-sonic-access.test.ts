// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { Lazy } from 'aws-cdk-lib/core';
import { BedrockLaneRole } from '../../../lib/access/bedrock-lane-role.js';
import {
  NovaSonicAccess,
  type NovaSonicAccessProps,
} from '../../../lib/access/nova-sonic-access.js';
import { flat, stackOf, statements, templateOf, templateWith } from '../synth.js';

const bedrock = (context = {}) =>
  statements(templateWith(context)).filter(({ Action }) =>
    Action.some((action) => action.startsWith('bedrock:')),
  );

describe('the right to call the model', () => {
  test('is bedrock:InvokeModel on exactly the model in exactly the Region', () => {
    expect(bedrock()).toHaveLength(1);
    const [only] = bedrock();
    expect(only?.Effect).toBe('Allow');
    expect(only?.Action).toEqual(['bedrock:InvokeModel']);
    expect(only?.Resource.map(flat)).toEqual([
      'arn:<AWS::Partition>:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0',
    ]);
  });

  test('has one ARN for each Region, each without an account', () => {
    const context = { bedrockRegions: ['us-west-2', 'eu-north-1'], model: 'amazon.nova-2-5-sonic' };
    expect(bedrock(context)[0]?.Resource.map(flat).sort()).toEqual([
      'arn:<AWS::Partition>:bedrock:eu-north-1::foundation-model/amazon.nova-2-5-sonic',
      'arn:<AWS::Partition>:bedrock:us-west-2::foundation-model/amazon.nova-2-5-sonic',
    ]);
  });

  test('has both ARNs for an inference profile, and the Regions to which it routes', () => {
    const context = { model: 'us.amazon.nova-2-sonic-v1:0' };
    expect(bedrock(context)[0]?.Resource.map(flat).sort()).toEqual([
      'arn:<AWS::Partition>:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0',
      'arn:<AWS::Partition>:bedrock:us-east-1:<AWS::AccountId>:inference-profile/us.amazon.nova-2-sonic-v1:0',
      'arn:<AWS::Partition>:bedrock:us-west-2::foundation-model/amazon.nova-2-sonic-v1:0',
    ]);
  });

  test('has the ARN without a Region for a global profile', () => {
    const context = { model: 'global.amazon.nova-2-sonic-v1:0' };
    expect(bedrock(context)[0]?.Resource.map(flat)).toContain(
      'arn:<AWS::Partition>:bedrock:::foundation-model/amazon.nova-2-sonic-v1:0',
    );
  });
});

describe('lanes in several accounts', () => {
  const role = (account: string) => `arn:aws:iam::${account}:role/voice-lane`;
  const lanes = [
    { region: 'us-east-1' },
    { region: 'us-east-1', role: role('111122223333'), streams: 50 },
    { region: 'us-west-2', role: role('111122223333') },
    { region: 'us-west-2', role: role('222233334444') },
  ];
  const rights = (given: unknown) =>
    statements(templateWith({ lanes: given }))
      .filter(({ Action }) => Action.some((action) => /^(bedrock|sts):/.test(action)))
      .filter(({ Principal }) => !Principal)
      .map(({ Action, Resource }) => ({ Action, Resource: Resource.map(flat).sort() }));

  test('may call the model in the own Regions, and assume exactly the roles, each once', () => {
    expect(rights(lanes)).toEqual([
      {
        Action: ['bedrock:InvokeModel'],
        Resource: [
          'arn:<AWS::Partition>:bedrock:us-east-1::foundation-model/amazon.nova-2-sonic-v1:0',
        ],
      },
      { Action: ['sts:AssumeRole'], Resource: [role('111122223333'), role('222233334444')] },
    ]);
  });

  test('need no right of their own account when they are all elsewhere', () => {
    expect(rights(lanes.slice(1))).toEqual([
      { Action: ['sts:AssumeRole'], Resource: [role('111122223333'), role('222233334444')] },
    ]);
  });
});

describe('BedrockLaneRole', () => {
  const TASK_ROLE = 'arn:aws:iam::000011112222:role/voice-agent-AgentRolesTask-1';

  test('may call the model and nothing else, and only the task role may assume it', () => {
    const template = templateOf(
      stackOf((scope) => {
        new BedrockLaneRole(scope, 'Lane', {
          taskRoleArn: TASK_ROLE,
          regions: ['us-east-1', 'us-west-2'],
        });
      }),
    );
    const [trust, ...granted] = statements(template).sort((a) => (a.Principal ? -1 : 1));
    expect(granted.map(({ Action, Resource }) => [Action, Resource.map(flat)])).toEqual([
      [
        ['bedrock:InvokeModel'],
        ['us-east-1', 'us-west-2'].map(
          (region) =>
            `arn:<AWS::Partition>:bedrock:${region}::foundation-model/amazon.nova-2-sonic-v1:0`,
        ),
      ],
    ]);
    expect(trust).toMatchObject({
      Action: ['sts:AssumeRole'],
      Condition: { ArnEquals: { 'aws:PrincipalArn': TASK_ROLE } },
    });
    expect(JSON.stringify(trust?.Principal)).toContain(':iam::000011112222:root');
  });

  test('refuses what is no ARN of a role', () => {
    const make = () =>
      stackOf((scope) => {
        new BedrockLaneRole(scope, 'Lane', { taskRoleArn: 'voice-agent' });
      });
    expect(make).toThrow(/^"taskRoleArn" cannot be "voice-agent": give the ARN of the task role/);
  });
});

describe('alone in another stack', () => {
  const access = (props?: NovaSonicAccessProps) => {
    let made: NovaSonicAccess | undefined;
    stackOf((scope) => {
      made = new NovaSonicAccess(scope, 'NovaSonic', props);
    });
    return made as NovaSonicAccess;
  };

  test('knows the streams of all Regions', () => {
    expect(access().streamQuota).toBe(20);
    expect(
      access({ regions: ['us-east-1', 'us-west-2'], streamQuotaPerRegion: 50 }).streamQuota,
    ).toBe(100);
  });

  test('knows the streams of all lanes', () => {
    const other = 'arn:aws:iam::111122223333:role/lane';
    const made = access({
      lanes: [{ region: 'us-east-1' }, { region: 'us-east-1', role: other, streams: 50 }],
      streamQuotaPerRegion: 30,
    });
    expect(made.streamQuota).toBe(80);
    expect(made.lanes.map(({ name }) => name)).toEqual(['us-east-1', '111122223333/us-east-1']);
    expect(made.regions).toEqual(['us-east-1']);
  });

  test.each<[NovaSonicAccessProps, string]>([
    [{ lanes: [] }, '"lanes" cannot be empty: name a lane.'],
    [
      { lanes: [{ region: 'us-east-1' }], regions: ['us-east-1'] },
      '"regions" cannot be set with "lanes": each lane has its Region.',
    ],
    [
      { lanes: [{ region: 'us-east-1', role: 'voice-lane' }] },
      '"lanes" cannot have the role "voice-lane": give its ARN, like arn:aws:iam::111122223333:role/voice-lane.',
    ],
    [
      { lanes: [{ region: 'us-east-1' }, { region: 'us-east-1' }] },
      '"lanes" has us-east-1 twice: each account has one quota in a Region.',
    ],
    [
      { lanes: [{ region: 'us-east-1', role: Lazy.string({ produce: () => 'later' }) }] },
      'The lane in us-east-1 whose role is known at deployment only needs a "name".',
    ],
    [{ regions: [] }, '"regions" cannot be empty: name a Region.'],
    [
      { model: 'amazon.nova-sonic-v1:0' },
      'The model "amazon.nova-sonic-v1:0" reached its end of life on 2026-09-14 and Bedrock no longer serves it: use amazon.nova-2-sonic-v1:0, or set "forceModel" to true if your account still has it.',
    ],
    [
      { regions: ['eu-central-1', 'eu-west-1'] },
      ['eu-central-1', 'eu-west-1']
        .map(
          (region) =>
            `The Bedrock Region "${region}" does not offer amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, eu-north-1, ap-northeast-1, or set "forceModel" to true if it does by now.`,
        )
        .join('\n'),
    ],
    [
      { model: 'us.amazon.nova-2-sonic-v1:0', regions: ['eu-north-1'] },
      'The Bedrock Region "eu-north-1" does not offer us.amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, or set "forceModel" to true if it does by now.',
    ],
  ])('refuses %j', (props, sentence) => {
    expect(() => access(props)).toThrow(new Error(sentence));
  });

  test('takes what it does not know when forced', () => {
    expect(access({ model: 'amazon.nova-3-sonic', forceModel: true }).resourceArns()).toHaveLength(
      1,
    );
  });
});
