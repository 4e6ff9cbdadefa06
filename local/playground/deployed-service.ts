// SPDX-License-Identifier: Apache-2.0

import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { LiveKitConnection } from '../livekit/connection.js';

/** Outputs of the stack (lib/voice-agent-stack.ts). */
const SECRET_OUTPUT = 'LiveKitSecret';
const AGENT_NAME_OUTPUT = 'AgentName';
const KEYS = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'] as const;

export interface StackOptions {
  stack: string;
  /** Default: the Region that the AWS SDK finds. */
  region?: string;
  /** Profile of the shared AWS configuration. Default: AWS_PROFILE, else `default`. */
  profile?: string;
}

/** What is needed to call a deployed service. */
export interface DeployedService {
  livekit: LiveKitConnection;
  /** '' when the agent takes any call. */
  agentName: string;
  region: string;
}

/**
 * Reads the outputs and the secret of a deployed stack with the operator's credentials.
 * @throws Error with one sentence that says what is missing and what to do.
 */
export async function readDeployedService({
  stack,
  region,
  profile,
}: StackOptions): Promise<DeployedService> {
  const config = { ...(region && { region }), ...(profile && { profile }) };
  const formation = new CloudFormationClient(config);
  const secrets = new SecretsManagerClient(config);
  try {
    const where = await formation.config.region().catch(() => {
      throw new Error('No AWS Region is set: give one with --region, or set AWS_REGION.');
    });
    await formation.config.credentials().catch((error: Error) => {
      throw new Error(missingCredentials(profile, error));
    });
    const outputs = await readOutputs(formation, stack, where);
    const secret = outputs.get(SECRET_OUTPUT);
    if (!secret)
      throw new Error(
        `The stack ${stack} in ${where} has no output ${SECRET_OUTPUT}: check that the stack belongs to this project, and run cdk deploy again with this version.`,
      );
    const livekit = parseConnection(await readSecret(secrets, secret, where), secret);
    return { livekit, agentName: outputs.get(AGENT_NAME_OUTPUT) ?? '', region: where };
  } finally {
    formation.destroy();
    secrets.destroy();
  }
}

async function readOutputs(
  client: CloudFormationClient,
  stack: string,
  region: string,
): Promise<Map<string, string>> {
  try {
    const { Stacks } = await client.send(new DescribeStacksCommand({ StackName: stack }));
    const outputs = Stacks?.[0]?.Outputs ?? [];
    return new Map(
      outputs.map(({ OutputKey, OutputValue }) => [OutputKey ?? '', OutputValue ?? '']),
    );
  } catch (error) {
    const { name, message } = error as Error;
    if (name === 'ValidationError' && /does not exist/.test(message))
      throw new Error(
        `There is no stack named ${stack} in ${region}: \`aws cloudformation list-stacks --region ${region}\` lists the stacks there, and --region selects another Region.`,
      );
    throw new Error(
      awsErrorMessage(
        error as Error,
        `read the stack ${stack}`,
        'cloudformation:DescribeStacks',
        region,
      ),
    );
  }
}

async function readSecret(
  client: SecretsManagerClient,
  secret: string,
  region: string,
): Promise<string> {
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: secret }));
    return SecretString ?? '';
  } catch (error) {
    if ((error as Error).name === 'ResourceNotFoundException')
      throw new Error(
        `The secret ${secret} does not exist any more: create it again as described in docs/operations/deploy.md.`,
      );
    throw new Error(
      awsErrorMessage(
        error as Error,
        `read the secret ${secret}`,
        'secretsmanager:GetSecretValue',
        region,
      ),
    );
  }
}

function parseConnection(text: string, secret: string): LiveKitConnection {
  let values: Record<string, unknown>;
  try {
    values = JSON.parse(text) as Record<string, unknown>;
  } catch {
    throw new Error(`The secret ${secret} is not JSON: it needs the keys ${KEYS.join(', ')}.`);
  }
  const [url, apiKey, apiSecret] = KEYS.map((key) => {
    const value = values?.[key];
    if (typeof value === 'string' && value.trim()) return value.trim();
    throw new Error(
      `The secret ${secret} has no ${key}: add it as described in docs/operations/deploy.md.`,
    );
  });
  if (!url || !/^(wss?|https?):\/\//.test(url))
    throw new Error(
      `LIVEKIT_URL in the secret ${secret} is not a URL such as wss://example.livekit.cloud.`,
    );
  return { url: url.replace(/^http/, 'ws'), apiKey: apiKey ?? '', apiSecret: apiSecret ?? '' };
}

function missingCredentials(profile: string | undefined, { message }: Error): string {
  return profile
    ? `The profile ${profile} has no valid AWS credentials (${firstLine(message)}): check it, or run \`aws sso login --profile ${profile}\`.`
    : 'There are no AWS credentials on this machine: run `aws configure` or `aws sso login`, or choose a profile with --profile.';
}

function awsErrorMessage(
  { name, message }: Error,
  what: string,
  action: string,
  region: string,
): string {
  switch (name) {
    case 'AccessDenied':
    case 'AccessDeniedException':
      return `Your AWS credentials are not allowed to ${what}: they need ${action}.`;
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'InvalidClientTokenId':
    case 'UnrecognizedClientException':
    case 'SignatureDoesNotMatch':
    case 'InvalidSignatureException':
      return `AWS does not accept your credentials (${firstLine(message)}): renew them with \`aws sso login\` or \`aws configure\`.`;
    default:
      return `Could not ${what} in ${region} (${name}: ${firstLine(message)}).`;
  }
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
