// SPDX-License-Identifier: Apache-2.0

import {
  BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import {
  promptStart,
  type SessionConfig,
  sessionStart,
  textBlock,
} from '../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { awsRegion } from './dev-environment.js';

const TIMEOUT_MS = 15_000;
const DEFAULT_MODEL = 'amazon.nova-2-sonic-v1:0';

/**
 * Opens a Sonic session and closes it at once, to learn whether calls can be answered at all; nothing is spoken, so
 * nothing but a few tokens of text is charged.
 * @throws Error with one sentence: no credentials, no access to the model, or whatever else Bedrock said.
 */
export async function checkBedrock(): Promise<void> {
  const region = awsRegion();
  const model = process.env.NOVA_SONIC_MODEL || DEFAULT_MODEL;
  const client = new BedrockRuntimeClient({ region, logger: silent });
  try {
    await client.config.credentials();
  } catch {
    throw new Error(
      'There are no AWS credentials on this machine: run `aws configure` or `aws sso login`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    );
  }
  const close = new AbortController();
  const timer = setTimeout(() => close.abort(), TIMEOUT_MS);
  try {
    // Resolves at the first event, which Bedrock sends once it has accepted the session.
    await client.send(
      new InvokeModelWithBidirectionalStreamCommand({
        modelId: model,
        body: opening(close.signal),
      }),
      { abortSignal: close.signal },
    );
  } catch (error) {
    throw new Error(sentence(error as Error, model, region, close.signal.aborted));
  } finally {
    clearTimeout(timer);
    close.abort();
    client.destroy();
  }
}

function sentence(error: Error, model: string, region: string, timedOut: boolean): string {
  if (timedOut)
    return `Bedrock in ${region} did not answer in ${TIMEOUT_MS / 1000} s: check the network, or choose another Region with AWS_REGION.`;
  switch (error.name) {
    case 'AccessDeniedException':
      return `Access to ${model} in ${region} is denied: ask for access to the model in the Bedrock console, and allow your role bedrock:InvokeModel.`;
    case 'ResourceNotFoundException':
    case 'ValidationException':
      return `Bedrock in ${region} does not take ${model} (${error.message}): choose another Region with AWS_REGION, or another model with NOVA_SONIC_MODEL.`;
    case 'ThrottlingException':
      return `Bedrock in ${region} has no free stream for you now (${error.message}): try again, or another Region with AWS_REGION.`;
    case 'UnrecognizedClientException':
    case 'ExpiredTokenException':
    case 'InvalidSignatureException':
      return `Bedrock refused your credentials (${error.message}): renew them with \`aws sso login\` or \`aws configure\`.`;
    default:
      return `Bedrock in ${region} could not be reached (${error.name}: ${error.message}).`;
  }
}

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

async function* opening(closed: AbortSignal) {
  const prompt = crypto.randomUUID();
  const config: SessionConfig = {
    maxTokens: 1024,
    topP: 0.9,
    temperature: 0.7,
    voiceId: 'tiffany',
    inputSampleRate: 16_000,
    outputSampleRate: 24_000,
    tools: [],
  };
  const events = [
    sessionStart(config),
    promptStart(prompt, config),
    ...textBlock(prompt, crypto.randomUUID(), 'SYSTEM', ['Be brief.'], false),
  ];
  for (const event of events)
    yield { chunk: { bytes: new TextEncoder().encode(JSON.stringify(event)) } };
  await new Promise((resolve) => closed.addEventListener('abort', resolve));
}
