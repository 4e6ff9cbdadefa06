// SPDX-License-Identifier: Apache-2.0

import {
  BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { DEFAULT_MODEL, DEFAULT_VOICE } from 'livekit-plugin-nova-sonic/models';
import { awsRegion } from './dev-environment.js';

const TIMEOUT_MS = 15_000;

/**
 * Opens a Nova Sonic session and closes it at once, to check credentials and access to the model. No audio is sent, so
 * only a few text tokens are charged.
 * @throws Error with one sentence: no credentials, no access to the model, or another error of Bedrock.
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
        body: sessionStartEvents(close.signal),
      }),
      { abortSignal: close.signal },
    );
  } catch (error) {
    throw new Error(describeError(error as Error, model, region, close.signal.aborted));
  } finally {
    clearTimeout(timer);
    close.abort();
    client.destroy();
  }
}

function describeError(error: Error, model: string, region: string, timedOut: boolean): string {
  if (timedOut)
    return `Bedrock in ${region} did not answer within ${TIMEOUT_MS / 1000} s: check the network, or choose another Region with AWS_REGION.`;
  switch (error.name) {
    case 'AccessDeniedException':
      return `Access to ${model} in ${region} is denied: ask for access to the model in the Bedrock console, and allow your role bedrock:InvokeModel.`;
    case 'ResourceNotFoundException':
    case 'ValidationException':
      return `Bedrock in ${region} does not accept ${model} (${error.message}): choose another Region with AWS_REGION, or another model with NOVA_SONIC_MODEL.`;
    case 'ThrottlingException':
      return `Bedrock in ${region} has no free stream at the moment (${error.message}): try again, or choose another Region with AWS_REGION.`;
    case 'UnrecognizedClientException':
    case 'ExpiredTokenException':
    case 'InvalidSignatureException':
      return `Bedrock rejected your credentials (${error.message}): renew them with \`aws sso login\` or \`aws configure\`.`;
    default:
      return `Bedrock in ${region} could not be reached (${error.name}: ${error.message}).`;
  }
}

const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };

/** The events that open a session: an output configuration and a system prompt, no audio. */
async function* sessionStartEvents(closed: AbortSignal) {
  const promptName = crypto.randomUUID();
  const contentName = crypto.randomUUID();
  const events = [
    {
      sessionStart: { inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 } },
    },
    {
      promptStart: {
        promptName,
        textOutputConfiguration: { mediaType: 'text/plain' },
        audioOutputConfiguration: {
          mediaType: 'audio/lpcm',
          sampleRateHertz: 24_000,
          sampleSizeBits: 16,
          channelCount: 1,
          voiceId: DEFAULT_VOICE,
          encoding: 'base64',
          audioType: 'SPEECH',
        },
      },
    },
    {
      contentStart: {
        promptName,
        contentName,
        type: 'TEXT',
        interactive: false,
        role: 'SYSTEM',
        textInputConfiguration: { mediaType: 'text/plain' },
      },
    },
    { textInput: { promptName, contentName, content: 'Be brief.' } },
    { contentEnd: { promptName, contentName } },
  ];
  for (const event of events)
    yield { chunk: { bytes: new TextEncoder().encode(JSON.stringify({ event })) } };
  await new Promise((resolve) => closed.addEventListener('abort', resolve));
}
