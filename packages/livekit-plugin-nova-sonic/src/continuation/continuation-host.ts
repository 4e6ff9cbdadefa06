// SPDX-License-Identifier: Apache-2.0
import type { CallerVoice } from '../audio/caller-voice.js';
import type { Clock } from '../clock.js';
import type { NamedLane } from '../lanes.js';
import type { HistoryLimits, RetryOptions } from '../options.js';
import type { ClientEvent } from '../protocol/client-events.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { StreamSettings } from '../protocol/session-config.js';
import type { StreamLifecycle } from '../session-events.js';
import type { StreamFactory } from '../stream/stream-factory.js';
import type { Effect } from '../turns/effects.js';

/** A stream and where it was opened. */
export interface StreamPlace {
  readonly id: string;
  readonly region: string;
  /** Name of the lane. */
  readonly lane: string;
}

/** The owner of the call: provides the settings of the next stream and receives what happens. */
export interface ContinuationHost {
  settings(): StreamSettings;
  /** The application's name of a tool that the service calls. */
  toolName(wireName: string): string;
  effects(effects: readonly Effect[]): void;
  lifecycle(event: StreamLifecycle): void;
  /** A failure; when it is not recoverable the call is over. */
  failed(error: NovaSonicError, recoverable: boolean): void;
  /** A stream was cut before its connection took the closing events. */
  cut(stream: StreamPlace): void;
  /** The call continues on another stream. */
  reconnected(): void;
  /** An exception in the plugin, which must neither stop the reader nor end the process. */
  internalError(error: unknown, where: string): void;
  sent(event: ClientEvent, streamId: string): void;
  received(document: unknown, streamId: string): void;
}

export interface ContinuationOptions {
  readonly clock: Clock;
  /** From 0 to 1, as Math.random. */
  readonly random: () => number;
  readonly newId: (prefix: string) => string;
  /** In order of preference. */
  readonly lanes: readonly NamedLane[];
  readonly retry: RetryOptions;
  readonly history: HistoryLimits;
  /** Age at which a stream is replaced at the next quiet moment (ms). */
  readonly renewAfterMs: number;
  /** How much of the caller's audio is kept for a stream that has to be replaced (ms). */
  readonly audioBufferMs: number;
  /** Longest time without any event while the service owes an answer (ms). */
  readonly progressMs: number;
  /** The caller's voice; gets the audio from the continuation. */
  readonly voice: CallerVoice;
  readonly openStream: StreamFactory;
}
