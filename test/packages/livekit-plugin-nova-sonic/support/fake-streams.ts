// SPDX-License-Identifier: Apache-2.0
// A SessionContinuation with a manual clock and streams that only record what was written to them.

import { CallerVoice } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/caller-voice.js';
import type { VoiceActivityDetector } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/voice-activity.js';
import type { ContinuationHost } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/continuation-host.js';
import { SessionContinuation } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/session-continuation.js';
import { lanesOf } from '../../../../packages/livekit-plugin-nova-sonic/src/lanes.js';
import type { RetryOptions } from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import {
  type ClientEvent,
  clientEventName,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';
import {
  NovaSonicError,
  type NovaSonicErrorKind,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
import type { StreamLifecycle } from '../../../../packages/livekit-plugin-nova-sonic/src/session-events.js';
import type {
  SonicStream,
  StreamSink,
} from '../../../../packages/livekit-plugin-nova-sonic/src/stream/sonic-stream.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import { SteppedClock } from './clocks.js';
import { SESSION_CONFIG } from './session-config.js';

type Json = Record<string, unknown>;

export class FakeStream {
  readonly written: ClientEvent[] = [];
  /** The rig's lanes are Regions. */
  readonly region: string;
  live = false;
  ended = false;
  readonly done: Promise<void>;
  #resolveDone = () => {};
  expiresAt?: number;
  stuck = false;

  constructor(
    readonly id: string,
    readonly lane: string,
    readonly sink: StreamSink,
  ) {
    this.region = lane;
    this.done = new Promise((resolve) => {
      this.#resolveDone = resolve;
    });
  }

  write(events: readonly ClientEvent[]): void {
    if (!this.ended) this.written.push(...events);
  }
  stalled(): number | undefined {
    return this.stuck ? 5_001 : undefined;
  }
  close(): Promise<void> {
    this.fail();
    return this.done;
  }
  fail(error?: NovaSonicError): void {
    if (this.ended) return;
    this.write(this.sink.closing());
    this.#end(error);
  }
  #end(error?: NovaSonicError): void {
    if (this.ended) return;
    this.ended = true;
    this.live = false;
    this.sink.ended(error);
    this.#resolveDone();
  }

  // -- the test's side
  open(): void {
    this.live = true;
    this.sink.opened(5);
  }
  break(kind: NovaSonicErrorKind = 'connection'): void {
    this.#end(
      new NovaSonicError(kind, kind, {
        retryable: kind !== 'access_denied',
        otherRegion: true,
      }),
    );
  }
  say(...events: Json[]): void {
    for (const event of events) this.sink.received({ event });
  }
  /** Names of what was written, audio left out. */
  get names(): string[] {
    return this.written.map(clientEventName).filter((name) => name !== 'audioInput');
  }
  get texts(): string[] {
    return this.written.flatMap((e) => {
      const body = e.event.textInput as { content: string } | undefined;
      return body ? [body.content] : [];
    });
  }
  /** Pieces of the caller's audio by their first sample; silence of ours is 0. */
  get audio(): number[] {
    return this.written.flatMap((e) => {
      const body = e.event.audioInput as { content: string } | undefined;
      return body ? [Buffer.from(body.content, 'base64').readInt16LE(0)] : [];
    });
  }
}

/** The numbers of the pieces are loud samples, too. */
const loudIsVoice = (samples: Int16Array): number =>
  samples.filter((sample) => sample >= 2_000).length > 10 ? 1 : 0;

export function rigContinuation(
  options: {
    regions?: string[];
    renewAfterMs?: number;
    audioBufferMs?: number;
    progressMs?: number;
    retry?: Partial<RetryOptions>;
    expiresAt?: (index: number) => number;
    /** @default what is loud is a voice */
    detector?: VoiceActivityDetector;
  } = {},
) {
  const clock = new SteppedClock();
  const streams: FakeStream[] = [];
  const lifecycle: StreamLifecycle[] = [];
  const failures: Array<{ kind: string; recoverable: boolean }> = [];
  const effects: Effect[] = [];
  const internalErrors: string[] = [];
  let reconnected = 0;
  let ids = 0;
  const newId = (prefix: string) => `${prefix}${++ids}`;
  const conversation = new Conversation({ newId, outputSampleRate: 24_000 });
  const settings = {
    instructions: 'Be brief.',
    config: SESSION_CONFIG,
  };
  const host: ContinuationHost = {
    settings: () => settings,
    toolName: (name) => name,
    effects: (list) => effects.push(...list),
    lifecycle: (event) => lifecycle.push(event),
    failed: (error, recoverable) => failures.push({ kind: error.kind, recoverable }),
    cut: () => {},
    reconnected: () => {
      reconnected += 1;
    },
    internalError: (error, where) => internalErrors.push(`${where}: ${(error as Error).message}`),
    sent: () => {},
    received: () => {},
  };
  const continuation = new SessionContinuation(
    {
      clock,
      newId,
      random: () => 0.5,
      lanes: lanesOf(options.regions ?? ['us-east-1']),
      retry: {
        maxAttempts: 8,
        maxOutageMs: 30_000,
        budget: 40,
        baseDelayMs: 500,
        maxDelayMs: 8_000,
        ...options.retry,
      },
      history: { maxBytes: 40_000, maxTextBytes: 1_000 },
      renewAfterMs: options.renewAfterMs ?? 360_000,
      audioBufferMs: options.audioBufferMs ?? 30_000,
      progressMs: options.progressMs ?? 10_000,
      voice: new CallerVoice(16_000, options.detector ?? { predict: loudIsVoice }, (error) => {
        throw error;
      }),
      openStream: (id, lane, sink) => {
        const stream = new FakeStream(id, lane.name, sink);
        stream.expiresAt = options.expiresAt?.(streams.length);
        streams.push(stream);
        return stream as unknown as SonicStream;
      },
    },
    conversation,
    host,
  );
  let sample = 0;
  return {
    clock,
    streams,
    lifecycle,
    failures,
    internalErrors,
    host,
    effects,
    conversation,
    continuation,
    get reconnected() {
      return reconnected;
    },
    stream: (index: number) => streams[index] as FakeStream,
    /** The caller's microphone for a while, in pieces of 20 ms; each piece has a number of its own. */
    hear(ms: number, loud = false): void {
      for (let t = 0; t < ms; t += 20) {
        clock.advance(20);
        sample = (sample % 4_000) + 1;
        const samples = new Int16Array(320).fill(loud ? 2_000 : 0);
        samples[0] = sample;
        continuation.audio({ pcm: new Uint8Array(samples.buffer), at: clock.now(), ms: 20 });
      }
    },
    get lastSample() {
      return sample;
    },
    types: () => lifecycle.map((e) => e.type),
  };
}

/** The same with its first stream up. */
export function beginContinuation(options: Parameters<typeof rigContinuation>[0] = {}) {
  const rig = rigContinuation(options);
  rig.continuation.start();
  rig.stream(0).open();
  return rig;
}
