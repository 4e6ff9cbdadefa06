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

/** What is wrong with a secret's name or ARN. @returns one sentence, or nothing. */
export function secretMistake(nameOrArn: string): string | undefined {
  if (nameOrArn.startsWith('arn:')) {
    return COMPLETE_ARN.test(nameOrArn)
      ? undefined
      : `"secret" cannot be "${nameOrArn}": the ARN of a secret ends in a hyphen and six characters, as "aws secretsmanager create-secret" prints it.`;
  }
  if (!NAME.test(nameOrArn)) {
    return `"secret" cannot be "${nameOrArn}": give the name or the complete ARN of a secret in Secrets Manager.`;
  }
  // Secrets Manager would take the six characters for the random suffix of an ARN and look for another secret.
  return /-\w{6}$/.test(nameOrArn)
    ? `"secret" cannot be the name "${nameOrArn}", which ends in a hyphen and six characters like an ARN's suffix: give its complete ARN.`
    : undefined;
}

export interface LiveKitCredentialsProps {
  /**
   * Name or complete ARN of a Secrets Manager secret with the JSON keys LIVEKIT_URL, LIVEKIT_API_KEY and
   * LIVEKIT_API_SECRET, in the Region of the stack. It must exist before the deploy. The complete ARN is the surer way.
   * @default 'nova-sonic-agent/livekit'
   */
  readonly secret?: string;

  /**
   * ARN of the customer-managed KMS key that encrypts the secret. Without it, a secret under such a key cannot be read.
   * @default - the secret is under the AWS-managed key
   */
  readonly encryptionKeyArn?: string;
}

/** How the LiveKit server is reached: one secret, injected into the container by ECS; its values are never in the template. */
export class LiveKitCredentials extends Construct {
  public readonly secret: ISecret;
  private readonly encryptionKeyArn: string | undefined;
  private readonly policyArn: string;

  /** @throws Error with one sentence when the secret cannot be one. */
  constructor(scope: Construct, id: string, props: LiveKitCredentialsProps = {}) {
    super(scope, id);
    const nameOrArn = props.secret ?? DEFAULT_SECRET;
    const mistake = secretMistake(nameOrArn);
    if (mistake) throw new Error(mistake);
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

  /** What ECS needs to inject the values: to read this secret, and to decrypt with its key if it has one. */
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
