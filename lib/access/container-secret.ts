// SPDX-License-Identifier: Apache-2.0

import { Secret } from 'aws-cdk-lib/aws-ecs';
import { Grant, type IGrantable, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Arn, ArnFormat, Stack } from 'aws-cdk-lib/core';
import type { IConstruct } from 'constructs';

/**
 * The random end of a secret's ARN, for a secret of which only the name is known. Reports disagree whether IAM sees the
 * ARN with or without it when ECS reads a secret by its name, so permissions are for both.
 */
export const SECRET_SUFFIX = '-??????';

const COMPLETE_ARN = /^arn:[\w-]+:secretsmanager:[\w-]+:\d{12}:secret:[\w/+=.@-]+-\w{6}$/;
const NAME = /^[\w/+=.@-]{1,512}$/;

/** Checks a secret's name or ARN. @returns one sentence about a problem, else undefined */
export function validateSecret(nameOrArn: string, prop = 'secret'): string | undefined {
  if (nameOrArn.startsWith('arn:')) {
    return COMPLETE_ARN.test(nameOrArn)
      ? undefined
      : `"${prop}" cannot be "${nameOrArn}": the ARN of a secret ends in a hyphen and six characters, as "aws secretsmanager create-secret" prints it.`;
  }
  if (!NAME.test(nameOrArn)) {
    return `"${prop}" cannot be "${nameOrArn}": give the name or the complete ARN of a secret in Secrets Manager.`;
  }
  // Secrets Manager would take the six characters for the random suffix of an ARN and look for another secret.
  return /-\w{6}$/.test(nameOrArn)
    ? `"${prop}" cannot be the name "${nameOrArn}", which ends in a hyphen and six characters like an ARN's suffix: give its complete ARN.`
    : undefined;
}

/** A secret as ECS refers to it, and the ARNs that IAM may see when ECS reads it. */
export interface SecretReference {
  /** Its complete ARN, or the ARN that ends in its name. */
  readonly arn: string;
  readonly policyArns: readonly string[];
}

/** Refers to a secret by its name or complete ARN. */
export function secretReference(scope: IConstruct, nameOrArn: string): SecretReference {
  if (nameOrArn.startsWith('arn:')) return { arn: nameOrArn, policyArns: [nameOrArn] };
  const arn = Stack.of(scope).formatArn({
    service: 'secretsmanager',
    resource: 'secret',
    resourceName: nameOrArn,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  return { arn, policyArns: [arn, `${arn}${SECRET_SUFFIX}`] };
}

/** The permissions to read a secret: its value, and decryption with its customer-managed key if it has one. */
export function readSecretStatements(
  scope: IConstruct,
  { policyArns }: SecretReference,
  encryptionKeyArn?: string,
): PolicyStatement[] {
  const read = new PolicyStatement({
    actions: ['secretsmanager:GetSecretValue'],
    resources: [...policyArns],
  });
  if (!encryptionKeyArn) return [read];
  const { region } = Arn.split(encryptionKeyArn, ArnFormat.SLASH_RESOURCE_NAME);
  const decrypt = new PolicyStatement({
    actions: ['kms:Decrypt'],
    resources: [encryptionKeyArn],
    conditions: {
      StringEquals: {
        'kms:ViaService': `secretsmanager.${region ?? Stack.of(scope).region}.amazonaws.com`,
      },
    },
  });
  return [read, decrypt];
}

/**
 * A value of a secret for a container's `secrets`. No version is named, so that a task started after a rotation gets the
 * new value.
 */
export class ContainerSecret extends Secret {
  public readonly arn: string;
  public readonly hasField: boolean;

  /** @param key the JSON key of the value; without it, the whole secret is the value */
  constructor(
    private readonly scope: IConstruct,
    private readonly reference: SecretReference,
    key?: string,
    private readonly encryptionKeyArn?: string,
  ) {
    super();
    this.hasField = key !== undefined;
    this.arn = key === undefined ? reference.arn : `${reference.arn}:${key}::`;
  }

  public grantRead(grantee: IGrantable): Grant {
    const statements = readSecretStatements(this.scope, this.reference, this.encryptionKeyArn);
    return statements
      .map(({ actions, resources, conditions }) =>
        Grant.addToPrincipal({ grantee, actions, resourceArns: resources, conditions }),
      )
      .reduce((all, grant) => all.combine(grant));
  }
}
