// SPDX-License-Identifier: Apache-2.0

import { CloudFormationClient, DescribeStacksCommand } from '@aws-sdk/client-cloudformation';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import type { Line } from '../caller/caller.js';

/** Outputs of the stack (lib/voice-agent-stack.ts). */
const SECRET_OUTPUT = 'LiveKitSecret';
const AGENT_NAME_OUTPUT = 'AgentName';
const KEYS = ['LIVEKIT_URL', 'LIVEKIT_API_KEY', 'LIVEKIT_API_SECRET'] as const;

export interface StackOptions {
  stack: string;
  /** Default: as the AWS SDK finds it. */
  region?: string;
  /** Profile of the shared AWS configuration. Default: AWS_PROFILE, else `default`. */
  profile?: string;
}

/** How a deployed service is called. */
export interface DeployedService {
  line: Line;
  /** '' when its agent takes any call. */
  agentName: string;
  region: string;
}

/**
 * Reads a deployed stack's outputs and its secret, with the operator's own credentials.
 * @throws Error with one sentence that says what is missing and what to do.
 */
export async function readStack({
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
      throw new Error(noCredentials(profile, error));
    });
    const outputs = await outputsOf(formation, stack, where);
    const secret = outputs.get(SECRET_OUTPUT);
    if (!secret)
      throw new Error(
        `The stack ${stack} in ${where} has no output ${SECRET_OUTPUT}: is it this project's, and deployed with this version? Run cdk deploy again.`,
      );
    const line = lineOf(await secretText(secrets, secret, where), secret);
    return { line, agentName: outputs.get(AGENT_NAME_OUTPUT) ?? '', region: where };
  } finally {
    formation.destroy();
    secrets.destroy();
  }
}

async function outputsOf(
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
        `There is no stack named ${stack} in ${region}: \`aws cloudformation list-stacks --region ${region}\` shows those that there are; another Region is given with --region.`,
      );
    throw new Error(
      refused(error as Error, `read the stack ${stack}`, 'cloudformation:DescribeStacks', region),
    );
  }
}

async function secretText(
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
      refused(error as Error, `read the secret ${secret}`, 'secretsmanager:GetSecretValue', region),
    );
  }
}

function lineOf(text: string, secret: string): Line {
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
      `LIVEKIT_URL in the secret ${secret} is no address: it looks like wss://example.livekit.cloud.`,
    );
  return { url: url.replace(/^http/, 'ws'), apiKey: apiKey ?? '', apiSecret: apiSecret ?? '' };
}

function noCredentials(profile: string | undefined, { message }: Error): string {
  return profile
    ? `The profile ${profile} gives no AWS credentials (${firstLine(message)}): check it, or run \`aws sso login --profile ${profile}\`.`
    : 'There are no AWS credentials on this machine: run `aws configure` or `aws sso login`, or give a profile with --profile.';
}

function refused({ name, message }: Error, what: string, action: string, region: string): string {
  switch (name) {
    case 'AccessDenied':
    case 'AccessDeniedException':
      return `Your AWS credentials may not ${what}: they need ${action}.`;
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
