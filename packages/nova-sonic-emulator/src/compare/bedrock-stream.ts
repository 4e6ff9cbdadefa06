// SPDX-License-Identifier: Apache-2.0
import type * as Sdk from '@aws-sdk/client-bedrock-runtime';
import type { EmulatorCredentials } from '../http2/signature.js';

/** Where a stream is opened. */
export interface StreamEndpoint {
  /** URL, or undefined for Amazon Bedrock itself. */
  url?: string;
  /** AWS Region that requests are signed for. */
  region: string;
  /** @default the SDK's chain: environment, profile, role */
  credentials?: EmulatorCredentials;
}

/** An event of the service, with the milliseconds since the stream was opened. */
export interface StreamedEvent {
  t: number;
  name: string;
  body: Record<string, unknown>;
}

/** How a stream ended. */
export interface StreamEnd {
  /** `ValidationException` …; undefined for a normal end. */
  type?: string;
  message?: string;
  /** Of an error before the stream. */
  httpStatus?: number;
  /** The endpoint was asked nothing, as there are no credentials to sign with: what to do, as a sentence. */
  unsigned?: string;
}

/** @throws Error of one sentence when the optional package is not installed */
export async function loadSdk(): Promise<typeof Sdk> {
  try {
    return await import('@aws-sdk/client-bedrock-runtime');
  } catch {
    throw new Error(
      'This needs the package @aws-sdk/client-bedrock-runtime, which is not installed: run `npm install @aws-sdk/client-bedrock-runtime`.',
    );
  }
}

const quiet = () => {};

/** One bidirectional stream of the AWS SDK: events in, events out, and how it ended. */
export class BedrockStream {
  readonly ended: Promise<StreamEnd>;
  private readonly queue: Uint8Array[] = [];
  private readonly started = performance.now();
  private wake: () => void = quiet;
  private closed = false;

  constructor(
    sdk: typeof Sdk,
    { url, region, credentials }: StreamEndpoint,
    modelId: string,
    private readonly onEvent: (event: StreamedEvent, bytes: Uint8Array) => void,
  ) {
    const client = new sdk.BedrockRuntimeClient({
      region,
      ...(url && { endpoint: url }),
      ...(credentials && { credentials }),
      logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    });
    const command = new sdk.InvokeModelWithBidirectionalStreamCommand({
      modelId,
      body: this.body(),
    });
    this.ended = this.read(client, command, url ?? `Amazon Bedrock in ${region}`).finally(() => {
      this.end();
      client.destroy();
    });
  }

  /** Sends an event: `{"event":{"<name>":{…}}}`. */
  send(chunk: unknown): void {
    this.sendBytes(new TextEncoder().encode(JSON.stringify(chunk)));
  }

  sendBytes(bytes: Uint8Array): void {
    this.queue.push(bytes);
    this.wake();
  }

  /** The input is over. */
  end(): void {
    this.closed = true;
    this.wake();
  }

  private async read(
    client: Sdk.BedrockRuntimeClient,
    command: Sdk.InvokeModelWithBidirectionalStreamCommand,
    where: string,
  ): Promise<StreamEnd> {
    try {
      const { body } = await client.send(command);
      for await (const { chunk } of body ?? []) {
        const bytes = chunk?.bytes ?? new Uint8Array();
        const { event = {} } = JSON.parse(new TextDecoder().decode(bytes));
        const [name = 'empty', fields = {}] = Object.entries(event)[0] ?? [];
        const t = performance.now() - this.started;
        this.onEvent({ t, name, body: fields as Record<string, unknown> }, bytes);
      }
      return {};
    } catch (error) {
      const { name, message, $metadata } = error as Error & {
        $metadata?: { httpStatusCode?: number };
      };
      const unsigned =
        name === 'CredentialsProviderError'
          ? `There are no AWS credentials for ${where}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (any values for a server that does not check them).`
          : undefined;
      const httpStatus = $metadata?.httpStatusCode;
      return { type: name, message: unsigned ?? message, httpStatus, unsigned };
    }
  }

  private async *body() {
    for (;;) {
      const bytes = this.queue.shift();
      if (bytes) yield { chunk: { bytes } };
      else if (this.closed) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}
