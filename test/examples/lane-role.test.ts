// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { parse, type ScalarTag } from 'yaml';
import { BedrockLaneRole } from '../../lib/access/bedrock-lane-role.js';
import { flat, resources, stackOf, templateOf } from '../lib/synth.js';

const TASK_ROLE = 'arn:aws:iam::000011112222:role/voice-agent-task';

/** CloudFormation's short forms as text. */
const tag = (name: string): ScalarTag => ({ tag: `!${name}`, resolve: (text) => text });
const template = parse(
  readFileSync(new URL('../../examples/three-accounts/lane-role.yaml', import.meta.url), 'utf8'),
  {
    customTags: [
      tag('Ref'),
      tag('Sub'),
      tag('GetAtt'),
      { tag: '!Sub', collection: 'seq' },
      { tag: '!Select', collection: 'seq' },
      { tag: '!Split', collection: 'seq' },
    ],
  },
);

test('the template for other accounts gives and trusts what BedrockLaneRole does', () => {
  const made = templateOf(
    stackOf((scope) => {
      new BedrockLaneRole(scope, 'Lane', {
        taskRoleArn: TASK_ROLE,
        regions: ['us-east-1', 'us-west-2'],
      });
    }),
  );
  const only = (type: string) => resources(made, type)[0]?.[1] as unknown as Resource;
  const [role, policy] = [only('AWS::IAM::Role'), only('AWS::IAM::Policy')];
  const { Properties } = template.Resources.Role;

  const [trust] = role.Properties.AssumeRolePolicyDocument?.Statement ?? [];
  const [given] = Properties.AssumeRolePolicyDocument.Statement;
  expect(given.Action).toBe(trust?.Action);
  expect(given.Condition).toEqual({ ArnEquals: { 'aws:PrincipalArn': 'TaskRoleArn' } });
  expect(trust?.Condition).toEqual({ ArnEquals: { 'aws:PrincipalArn': TASK_ROLE } });

  const [allowed] = policy.Properties.PolicyDocument?.Statement ?? [];
  const [listed] = Properties.Policies[0].PolicyDocument.Statement;
  expect(listed.Action).toBe(allowed?.Action);
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: CloudFormation's
  const plain = (arn: string) =>
    arn
      .replace('${AWS::Partition}', '<AWS::Partition>')
      .replace('${Model}', template.Parameters.Model.Default);
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: CloudFormation's
  expect(listed.Resource.map(plain)).toEqual(allowed?.Resource.map(flat));
});

interface Statement {
  Action: string;
  Resource: unknown[];
  Condition?: unknown;
}
interface Resource {
  Properties: Record<string, { Statement: Statement[] } | undefined>;
}
