// SPDX-License-Identifier: Apache-2.0

import {
  type AddToPrincipalPolicyResult,
  Policy,
  PolicyDocument,
  type PolicyStatement,
  Role,
  type RoleProps,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { type IResolveContext, Stack, Token, Validations } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { SECRET_SUFFIX } from '../access/container-secret.js';

/**
 * What the CDK grants together for reading a secret or a parameter, and what of it ECS calls to start a task
 * (AWS, "Amazon ECS task execution IAM role").
 */
const USED_BY_ECS: readonly { granted: readonly string[]; used: readonly string[] }[] = [
  {
    granted: ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
    used: ['secretsmanager:GetSecretValue'],
  },
  {
    granted: [
      ...['ssm:DescribeParameters', 'ssm:GetParameter'],
      ...['ssm:GetParameterHistory', 'ssm:GetParameters'],
    ],
    used: ['ssm:GetParameters'],
  },
];

/** ECS tasks of this account and Region only, against confused deputies. */
export function ecsTasksPrincipal(scope: Construct): ServicePrincipal {
  const stack = Stack.of(scope);
  return new ServicePrincipal('ecs-tasks.amazonaws.com', {
    conditions: {
      StringEquals: { 'aws:SourceAccount': stack.account },
      ArnLike: { 'aws:SourceArn': stack.formatArn({ service: 'ecs', resource: '*' }) },
    },
  });
}

/**
 * The role with which ECS starts tasks. It has exactly what is granted to it, by this library or by what you add to the
 * task definition, less the actions that the CDK grants and ECS does not call.
 */
export class ExecutionRole extends Role {
  private start?: Policy;

  constructor(scope: Construct, id: string, props: RoleProps) {
    super(scope, id, props);
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-IAM5[Resource::*]',
      reason:
        'ecr:GetAuthorizationToken has no resource; AWS accepts it on * only. Pulling is limited to one repository.',
    });
  }

  public override addToPrincipalPolicy(statement: PolicyStatement): AddToPrincipalPolicyResult {
    this.start ??= new Policy(this, 'DefaultPolicy', {
      document: new StartDocument(),
      roles: [this],
    });
    this.start.addStatements(statement);
    return { statementAdded: true, policyDependable: this.start };
  }
}

/** Narrows its statements when they are rendered, because conditions may be added to a statement after its grant. */
class StartDocument extends PolicyDocument {
  private readonly granted: PolicyStatement[] = [];

  public override addStatements(...statements: PolicyStatement[]): void {
    // The constructor of the base class adds none, before there is a list.
    if (statements.length === 0) return;
    this.granted.push(...statements);
    super.addStatements(...statements);
  }

  public override resolve(context: IResolveContext): unknown {
    return new PolicyDocument({
      statements: this.granted.map((statement) => asUsedByEcs(statement, context)),
    }).resolve(context);
  }
}

function asUsedByEcs(statement: PolicyStatement, context: IResolveContext): PolicyStatement {
  const granted = statement.actions.toSorted().join();
  const known = USED_BY_ECS.find((one) => one.granted.join() === granted);
  const actions = known?.used ?? statement.actions;
  if (!actions.includes('secretsmanager:GetSecretValue')) {
    return known ? statement.copy({ actions: [...actions] }) : statement;
  }
  const arns = statement.resources.map((arn) => context.resolve(arn));
  const bare = arns
    .map(withoutSuffix)
    .filter((one) => one !== undefined && !arns.some((arn) => same(arn, one)));
  return statement.copy({
    actions: [...actions],
    resources: [...bare.map((one) => Token.asString(one)), ...statement.resources],
  });
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

/** An ARN without {@link SECRET_SUFFIX}; undefined when it does not end in it. */
function withoutSuffix(arn: unknown): unknown {
  if (typeof arn === 'string') {
    return arn.endsWith(SECRET_SUFFIX) ? arn.slice(0, -SECRET_SUFFIX.length) : undefined;
  }
  const [delimiter, parts] = (arn as { 'Fn::Join'?: [string, unknown[]] })['Fn::Join'] ?? [];
  const last = parts?.length ? withoutSuffix(parts.at(-1)) : undefined;
  return last === undefined
    ? undefined
    : { 'Fn::Join': [delimiter, [...(parts ?? []).slice(0, -1), last]] };
}
