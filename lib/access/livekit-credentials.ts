// SPDX-License-Identifier: Apache-2.0

import type { Secret as EcsSecret } from 'aws-cdk-lib/aws-ecs';
import type { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Aws, CfnCondition, type CfnParameter, Fn } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';
import {
  ContainerSecret,
  readSecretStatements,
  type SecretReference,
  secretReference,
  validateSecret,
} from './container-secret.js';

/** The secret's JSON keys; each reaches the container as the environment variable of the same name. */
export const CREDENTIAL_KEYS = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'] as const;

/** The secret that docs/operations/deploy.md creates. */
export const DEFAULT_SECRET = 'nova-sonic-agent/livekit';

export interface LiveKitCredentialsProps {
  /**
   * Name or complete ARN of a Secrets Manager secret with the JSON keys LIVEKIT_URL, LIVEKIT_API_KEY and
   * LIVEKIT_API_SECRET, in the Region of the stack. It must exist before the first deployment. Prefer the complete ARN to the name.
   * @default 'nova-sonic-agent/livekit'
   */
  readonly secret?: string;

  /**
   * CloudFormation parameter with the complete ARN of the secret. When it is not empty, it is used instead of `secret`;
   * later deployments keep it.
   * @default - none
   */
  readonly arnParameter?: CfnParameter;

  /**
   * ARN of the customer-managed KMS key that encrypts the secret. Without it, ECS cannot decrypt such a secret.
   * @default - the secret is encrypted with the AWS-managed key
   */
  readonly encryptionKeyArn?: string;
}

/** Address and keys of the LiveKit server: one secret, injected into the container by ECS; its values are never in the template. */
export class LiveKitCredentials extends Construct {
  public readonly secret: ISecret;
  private readonly encryptionKeyArn: string | undefined;
  private readonly reference: SecretReference;

  /** @throws Error with one sentence when the name or ARN is invalid */
  constructor(scope: Construct, id: string, props: LiveKitCredentialsProps = {}) {
    super(scope, id);
    const nameOrArn = props.secret ?? DEFAULT_SECRET;
    const problem = validateSecret(nameOrArn);
    if (problem) throw new Error(problem);
    this.encryptionKeyArn = props.encryptionKeyArn;

    const fixed = secretReference(this, nameOrArn);
    this.reference = props.arnParameter ? this.unlessGiven(props.arnParameter, fixed) : fixed;
    const { arn } = this.reference;
    this.secret = nameOrArn.startsWith('arn:')
      ? Secret.fromSecretAttributes(this, 'Secret', { secretCompleteArn: arn })
      : Secret.fromSecretAttributes(this, 'Secret', { secretPartialArn: arn });
  }

  /** The secret of the parameter, or `fixed` when the parameter is empty. */
  private unlessGiven(parameter: CfnParameter, fixed: SecretReference): SecretReference {
    const given = new CfnCondition(this, 'ArnGiven', {
      expression: Fn.conditionNot(Fn.conditionEquals(parameter.valueAsString, '')),
    });
    const either = (whenGiven: string, otherwise: string): string =>
      Fn.conditionIf(given.logicalId, whenGiven, otherwise).toString();
    const [first = fixed.arn, second = Aws.NO_VALUE] = fixed.policyArns;
    return {
      arn: either(parameter.valueAsString, fixed.arn),
      // Always two, so that the policy is the same whether `fixed` is a name or an ARN.
      policyArns: [either(parameter.valueAsString, first), either(Aws.NO_VALUE, second)],
    };
  }

  /** For a container's `secrets`. No version is named, so that a task started after a rotation gets the new values. */
  public containerSecrets(): Record<string, EcsSecret> {
    return Object.fromEntries(
      CREDENTIAL_KEYS.map((key) => [
        key,
        new ContainerSecret(this, this.reference, key, this.encryptionKeyArn),
      ]),
    );
  }

  /** The permissions that ECS needs to inject the values: read this secret, and decrypt with its key if it has one. */
  public readStatements(): PolicyStatement[] {
    return readSecretStatements(this, this.reference, this.encryptionKeyArn);
  }
}
