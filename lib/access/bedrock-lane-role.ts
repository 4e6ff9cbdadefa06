// SPDX-License-Identifier: Apache-2.0

import { AccountPrincipal, Role } from 'aws-cdk-lib/aws-iam';
import { Arn, ArnFormat, CfnOutput } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import { NovaSonicAccess } from './nova-sonic-access.js';
import { ROLE_ARN } from './nova-sonic-lanes.js';

export interface BedrockLaneRoleProps {
  /** ARN of the task role of the voice agent, in its own account: the output TaskRoleArn of the stack. */
  readonly taskRoleArn: string;

  /**
   * Model ID, or the ID of a system inference profile: that of the voice agent.
   * @default 'amazon.nova-2-sonic-v1:0'
   */
  readonly model?: string;

  /**
   * Bedrock Regions of this account's lanes.
   * @default ['us-east-1']
   */
  readonly regions?: readonly string[];

  /**
   * Name of the role; with one, its ARN is known before it is deployed.
   * @default - CloudFormation's
   */
  readonly roleName?: string;

  /**
   * Accept a model or a Region that is unknown to this version, or a model past its end of life.
   * @default false
   */
  readonly forceModel?: boolean;
}

/**
 * The role in another account that lends its Bedrock streams to a voice agent: it may call the model and nothing else,
 * and only the task role may assume it.
 */
export class BedrockLaneRole extends Construct {
  public readonly role: Role;

  /** @throws Error with one sentence when the ARN, the model or a Region cannot be used */
  constructor(scope: Construct, id: string, props: BedrockLaneRoleProps) {
    super(scope, id);
    const { taskRoleArn, roleName, ...access } = props;
    if (!ROLE_ARN.test(taskRoleArn))
      throw new Error(
        `"taskRoleArn" cannot be "${taskRoleArn}": give the ARN of the task role, which the stack of the voice agent prints as TaskRoleArn.`,
      );
    const { account = '' } = Arn.split(taskRoleArn, ArnFormat.SLASH_RESOURCE_NAME);
    this.role = new Role(this, 'Role', {
      description: 'Lends Bedrock streams for Nova Sonic to the voice agent of another account',
      ...(roleName && { roleName }),
      // A principal that names the role must exist first, and is lost when the role is replaced; a condition is not.
      assumedBy: new AccountPrincipal(account).withConditions({
        ArnEquals: { 'aws:PrincipalArn': taskRoleArn },
      }),
    });
    new NovaSonicAccess(this, 'NovaSonic', access).grantInvoke(this.role);
    new CfnOutput(this, 'Arn', {
      value: this.role.roleArn,
      description: 'For "lanes" of the voice agent',
    });
  }
}
