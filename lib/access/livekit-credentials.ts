// SPDX-License-Identifier: Apache-2.0

import { Secret as ContainerSecret } from 'aws-cdk-lib/aws-ecs';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { type ISecret, Secret } from 'aws-cdk-lib/aws-secretsmanager';
import { Arn, ArnFormat, Stack } from 'aws-cdk-lib/core';
import { Construct } from 'constructs';

/** The secret's JSON keys; each reaches the container as the environment variable of the same name. */
export const CREDENTIAL_KEYS = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'] as const;

/** The secret that docs/operations/deploy.md creates. */
export const DEFAULT_SECRET = 'nova-sonic-agent/livekit';

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

export interface LiveKitCredentialsProps {
  /**
   * Name or complete ARN of a Secrets Manager secret with the JSON keys LIVEKIT_URL, LIVEKIT_API_KEY and
   * LIVEKIT_API_SECRET, in the Region of the stack. It must exist before the first deployment. Prefer the complete ARN to the name.
   * @default 'nova-sonic-agent/livekit'
   */
  readonly secret?: string;

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
  private readonly policyArn: string;

  /** @throws Error with one sentence when the name or ARN is invalid */
  constructor(scope: Construct, id: string, props: LiveKitCredentialsProps = {}) {
    super(scope, id);
    const nameOrArn = props.secret ?? DEFAULT_SECRET;
    const problem = validateSecret(nameOrArn);
    if (problem) throw new Error(problem);
    this.encryptionKeyArn = props.encryptionKeyArn;

    if (nameOrArn.startsWith('arn:')) {
      this.secret = Secret.fromSecretCompleteArn(this, 'Secret', nameOrArn);
      this.policyArn = nameOrArn;
    } else {
      this.secret = Secret.fromSecretNameV2(this, 'Secret', nameOrArn);
      // The random suffix is not known at synth: six characters, no more.
      this.policyArn = `${this.secret.secretArn}-??????`;
    }
  }

  /**
   * For a container's `secrets`. No version is named, so that a task started after a rotation gets the new values.
   */
  public containerSecrets(): Record<string, ContainerSecret> {
    return Object.fromEntries(
      CREDENTIAL_KEYS.map((key) => [key, ContainerSecret.fromSecretsManager(this.secret, key)]),
    );
  }

  /** The permissions that ECS needs to inject the values: read this secret, and decrypt with its key if it has one. */
  public readStatements(): PolicyStatement[] {
    const read = new PolicyStatement({
      actions: ['secretsmanager:GetSecretValue'],
      resources: [this.policyArn],
    });
    if (!this.encryptionKeyArn) return [read];
    const { region } = Arn.split(this.encryptionKeyArn, ArnFormat.SLASH_RESOURCE_NAME);
    const decrypt = new PolicyStatement({
      actions: ['kms:Decrypt'],
      resources: [this.encryptionKeyArn],
      conditions: {
        StringEquals: {
          'kms:ViaService': `secretsmanager.${region ?? Stack.of(this).region}.amazonaws.com`,
        },
      },
    });
    return [read, decrypt];
  }
}
