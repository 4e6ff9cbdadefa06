// SPDX-License-Identifier: Apache-2.0
import {
  BedrockRuntimeClient,
  InvokeModelWithBidirectionalStreamCommand,
} from '@aws-sdk/client-bedrock-runtime';
import type { Emulator } from '../../../../packages/nova-sonic-emulator/src/index.js';
import { SpeechSynthesizer } from '../../../../packages/nova-sonic-emulator/src/speech/speech-synthesizer.js';

export interface Output {
  name: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into every field
  body: any;
}

/** The unmodified SDK's client, pointed at an emulator. */
export function sdkClient(
  emulator: Pick<Emulator, 'url' | 'credentials'>,
  overrides: ConstructorParameters<typeof BedrockRuntimeClient>[0] = {},
): BedrockRuntimeClient {
  const quiet = () => {};
  return new BedrockRuntimeClient({
    region: 'us-east-1',
    endpoint: emulator.url,
    credentials: emulator.credentials,
    logger: { trace: quiet, debug: quiet, info: quiet, warn: quiet, error: quiet },
    ...overrides,
  });
}

/** One stream of the real SDK, with everything that came back. */
export class TestClient {
  readonly outputs: Output[] = [];
  /** What ended the stream: undefined for a normal end. */
  readonly ended: Promise<Error | undefined>;
  readonly promptName = 'prompt';
  private queue: object[] = [];
  private wake = () => {};
  private closed = false;
  private listeners = new Set<() => void>();
  private counter = 0;

  constructor(
    client: BedrockRuntimeClient,
    readonly modelId = 'amazon.nova-2-sonic-v1:0',
    /** Outputs that are kept. */
    private readonly keeps: (output: Output) => boolean = () => true,
  ) {
    this.ended = this.run(client);
  }

  /** Sends one event. */
  send(name: string, body: object): void {
    this.sendRaw({ event: { [name]: body } });
  }

  sendRaw(chunk: object): void {
    this.queue.push(chunk);
    this.wake();
  }

  /** sessionStart and promptStart. */
  start(options: { tools?: string[]; sensitivity?: string; rate?: number; voice?: string } = {}) {
    const { tools, sensitivity = 'MEDIUM', rate = 24_000, voice = 'tiffany' } = options;
    this.send('sessionStart', {
      inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 },
      turnDetectionConfiguration: { endpointingSensitivity: sensitivity },
    });
    this.send('promptStart', {
      promptName: this.promptName,
      textOutputConfiguration: { mediaType: 'text/plain' },
      audioOutputConfiguration: {
        mediaType: 'audio/lpcm',
        sampleRateHertz: rate,
        sampleSizeBits: 16,
        channelCount: 1,
        voiceId: voice,
        encoding: 'base64',
        audioType: 'SPEECH',
      },
      toolUseOutputConfiguration: { mediaType: 'application/json' },
      ...(tools && {
        toolConfiguration: {
          tools: tools.map((name) => ({
            toolSpec: {
              name,
              description: name,
              inputSchema: { json: '{"type":"object","properties":{}}' },
            },
          })),
        },
      }),
    });
  }

  /** A whole TEXT block. */
  text(role: string, content: string, interactive = false): void {
    this.systemSent = true;
    const contentName = `text-${this.counter++}`;
    this.send('contentStart', {
      promptName: this.promptName,
      contentName,
      type: 'TEXT',
      interactive,
      role,
      textInputConfiguration: { mediaType: 'text/plain' },
    });
    this.send('textInput', { promptName: this.promptName, contentName, content });
    this.send('contentEnd', { promptName: this.promptName, contentName });
  }

  /** Opens the AUDIO content, after SYSTEM text, and primes it with silence, by default 100 ms. */
  openAudio({ rate = 16_000, primeMs = 100 } = {}): void {
    if (!this.systemSent) this.text('SYSTEM', 'Be brief.');
    this.rate = rate;
    this.send('contentStart', {
      promptName: this.promptName,
      contentName: 'audio',
      type: 'AUDIO',
      interactive: true,
      role: 'USER',
      audioInputConfiguration: {
        mediaType: 'audio/lpcm',
        sampleRateHertz: rate,
        sampleSizeBits: 16,
        channelCount: 1,
        audioType: 'SPEECH',
        encoding: 'base64',
      },
    });
    if (primeMs > 0) this.silence(primeMs);
  }
  rate = 16_000;
  private systemSent = false;

  /** Sends PCM at once, in frames of 32 ms. */
  audio(pcm: Int16Array): void {
    const frame = Math.round(this.rate * 0.032);
    for (let from = 0; from < pcm.length; from += frame) {
      const part = pcm.slice(from, from + frame);
      this.send('audioInput', {
        promptName: this.promptName,
        contentName: 'audio',
        content: Buffer.from(part.buffer, part.byteOffset, part.byteLength).toString('base64'),
      });
    }
  }

  silence(ms: number): void {
    this.audio(new Int16Array(Math.round((this.rate * ms) / 1000)));
  }

  toolResult(toolUseId: string, content: string): void {
    const contentName = `tool-${this.counter++}`;
    const promptName = this.promptName;
    this.send('contentStart', {
      promptName,
      contentName,
      type: 'TOOL',
      interactive: false,
      role: 'TOOL',
      toolResultInputConfiguration: {
        toolUseId,
        type: 'TEXT',
        textInputConfiguration: { mediaType: 'text/plain' },
      },
    });
    this.send('toolResult', { promptName, contentName, content });
    this.send('contentEnd', { promptName, contentName });
  }

  /** The documented closers, then the end of the input. */
  close(): void {
    this.send('contentEnd', { promptName: this.promptName, contentName: 'audio' });
    this.send('promptEnd', { promptName: this.promptName });
    this.send('sessionEnd', {});
    this.endInput();
  }

  endInput(): void {
    this.closed = true;
    this.wake();
  }

  /** The first output that matches, of the past or yet to come. */
  async output(matches: (output: Output) => boolean, from = 0): Promise<Output> {
    for (let i = from; ; i++) {
      while (i >= this.outputs.length) {
        const more = new Promise<void>((resolve) => {
          const listener = () => {
            this.listeners.delete(listener);
            resolve();
          };
          this.listeners.add(listener);
        });
        const end = await Promise.race([more, this.ended.then((error) => ({ error }))]);
        if (end && i >= this.outputs.length) {
          throw new Error(`the stream ended first: ${end.error ?? 'normally'}; ${this.names()}`);
        }
      }
      if (matches(this.outputs[i] as Output)) return this.outputs[i] as Output;
    }
  }

  names(): string {
    return this.outputs.map(({ name }) => name).join(' ');
  }

  private async run(client: BedrockRuntimeClient): Promise<Error | undefined> {
    try {
      const response = await client.send(
        new InvokeModelWithBidirectionalStreamCommand({ modelId: this.modelId, body: this.body() }),
      );
      for await (const part of response.body ?? []) {
        const event = JSON.parse(new TextDecoder().decode(part.chunk?.bytes)).event;
        const [name, body] = Object.entries(event)[0] as [string, object];
        if (!this.keeps({ name, body })) continue;
        this.outputs.push({ name, body });
        for (const listener of [...this.listeners]) listener();
      }
      return undefined;
    } catch (error) {
      return error as Error;
    } finally {
      this.endInput();
    }
  }

  private async *body() {
    for (;;) {
      const chunk = this.queue.shift();
      if (chunk) yield { chunk: { bytes: new TextEncoder().encode(JSON.stringify(chunk)) } };
      else if (this.closed) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }
}

const american = { locale: 'en-US', register: 'masculine' } as const;

/** A sentence as a caller would speak it. */
export async function speechSamples(text: string, sampleRate = 16_000): Promise<Int16Array> {
  const synthesizer = new SpeechSynthesizer();
  try {
    return await synthesizer.say(text, american, sampleRate);
  } finally {
    await synthesizer.close();
  }
}
