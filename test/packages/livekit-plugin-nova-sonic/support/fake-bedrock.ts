// SPDX-License-Identifier: Apache-2.0
// Bedrock's client without a network: what the SDK pulls is kept, and the test answers. For virtual time.
import type { InvokeModelWithBidirectionalStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import type { StreamClient } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/sonic-stream.js';

type Json = Record<string, unknown>;
type Part = Json | Error;

/** One stream as the service sees it. */
export class FakeBedrockStream {
  readonly said: Array<{ readonly name: string; readonly body: Json }> = [];
  /** The plugin's input has ended. */
  inputEnded = false;
  #parts: Array<Part | 'end'> = [];
  #wake = () => {};
  #answered!: () => void;
  /** Resolves with the first answer, as the SDK's `send` does. */
  readonly answered = new Promise<void>((resolve) => {
    this.#answered = resolve;
  });

  constructor(
    readonly signal: AbortSignal,
    endsItself: boolean,
    input: AsyncIterable<{ chunk?: { bytes?: Uint8Array } }>,
  ) {
    signal.addEventListener('abort', () => this.#push('end'));
    void (async () => {
      for await (const { chunk } of input) {
        const { event } = JSON.parse(Buffer.from(chunk?.bytes ?? []).toString());
        const [[name, body]] = Object.entries(event) as [[string, Json]];
        this.said.push({ name, body });
        if (name === 'sessionEnd' && endsItself) this.end();
      }
      this.inputEnded = true;
    })();
  }

  get names(): string[] {
    return this.said.map(({ name }) => name);
  }

  /** Texts of the user and the system, in order. */
  get texts(): string[] {
    return this.said.flatMap(({ name, body }) =>
      name === 'textInput' ? [String(body.content)] : [],
    );
  }

  /** The first sample of each piece of audio; silence of the plugin's own is 0. */
  get audio(): number[] {
    return this.said.flatMap(({ name, body }) =>
      name === 'audioInput' ? [Buffer.from(String(body.content), 'base64').readInt16LE(0)] : [],
    );
  }

  /** Sends events. */
  tell(...events: Json[]): void {
    for (const event of events) this.raw(JSON.stringify({ event }));
  }

  raw(text: string): void {
    this.#push({ chunk: { bytes: new TextEncoder().encode(text) } });
  }

  /** An exception that comes as an event, as the SDK gives it. */
  except(name: string, error: Error): void {
    this.#push({ [name]: error });
  }

  /** A part that is neither an event nor an exception. */
  other(part: Json): void {
    this.#push(part);
  }

  /** The connection breaks. */
  break(error: Error): void {
    this.#push(error);
  }

  end(): void {
    this.#push('end');
  }

  #push(part: Part | 'end'): void {
    this.#parts.push(part);
    this.#answered();
    this.#wake();
  }

  async *output(): AsyncGenerator<Json> {
    for (;;) {
      const part = this.#parts.shift();
      if (part === 'end') return;
      if (part instanceof Error) throw part;
      if (part) yield part;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
}

/** A client whose streams end when they are told `sessionEnd`, unless that is turned off. */
export class FakeBedrock {
  readonly streams: FakeBedrockStream[] = [];
  endsItself = true;

  stream(index: number): FakeBedrockStream {
    return this.streams[index] as FakeBedrockStream;
  }

  async send(
    command: InvokeModelWithBidirectionalStreamCommand,
    { abortSignal }: { abortSignal: AbortSignal },
  ) {
    const input = command.input.body as AsyncIterable<{ chunk?: { bytes?: Uint8Array } }>;
    const stream = new FakeBedrockStream(abortSignal, this.endsItself, input);
    this.streams.push(stream);
    await stream.answered;
    return { body: stream.output() };
  }

  /** As `createStreamClient` gives it. */
  client(more: Partial<StreamClient> = {}): StreamClient {
    return { client: this as unknown as StreamClient['client'], dispose: () => {}, ...more };
  }
}
