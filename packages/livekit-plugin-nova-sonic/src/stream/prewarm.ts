// SPDX-License-Identifier: Apache-2.0
import { Readable } from 'node:stream';
import {
  BedrockRuntimeClient,
  type BedrockRuntimeClientConfig,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import { log } from '@livekit/agents';

/** Enough for the SDK's way from an event to its signed bytes to be compiled. */
const EVENTS = 20;

/**
 * For the `prewarm` of an agent: does once, before there is a caller, what the first stream of a process would do late: the
 * AWS SDK is loaded and compiled (25 ms of work; a cold process is 35 ms sooner to take audio, `npm run bench:latency`).
 * Nothing goes over the network and no credentials are asked for. Never rejects.
 *
 * ```ts
 * export default defineAgent({ prewarm: () => prewarm(), entry: async (ctx) => { … } });
 * ```
 */
export async function prewarm(): Promise<void> {
  const client = new BedrockRuntimeClient({
    region: 'us-east-1',
    credentials: { accessKeyId: 'prewarm', secretAccessKey: 'prewarm' },
    maxAttempts: 1,
    requestHandler: nowhere,
  });
  try {
    const { body } = await client.send(
      new InvokeModelWithBidirectionalStreamCommand({ modelId: 'prewarm', body: events() }),
    );
    for await (const _ of body ?? []);
  } catch (error) {
    log().debug(
      { error },
      'the AWS SDK could not be warmed up; the first stream takes a little longer',
    );
  } finally {
    client.destroy();
  }
}

/** Takes the whole request and answers with a stream that is over. */
const nowhere = {
  metadata: { handlerProtocol: 'h2' },
  async handle({ body }: { body: AsyncIterable<Uint8Array> }) {
    for await (const _ of body);
    return { response: { statusCode: 200, headers: {}, body: Readable.from([]) } };
  },
} as unknown as NonNullable<BedrockRuntimeClientConfig['requestHandler']>;

async function* events() {
  const bytes = new TextEncoder().encode(JSON.stringify({ event: {} }));
  for (let i = 0; i < EVENTS; i++) yield { chunk: { bytes } };
}
