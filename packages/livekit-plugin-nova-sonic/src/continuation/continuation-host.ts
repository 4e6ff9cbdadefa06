// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { HistoryLimits } from '../history/chat-context.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { ClientEvent } from '../protocol/server-events.js';
import type { StreamSettings } from '../session/session-settings.js';
import type { StreamLifecycle } from '../session-events.js';
import type { SonicStream, StreamSink } from '../stream/sonic-stream.js';
import type { Effect } from '../turns/effects.js';
import type { RetryOptions } from './retry-policy.js';

/** Whose call it is that continuity keeps alive: what it is told, and what it is asked. */
export interface ContinuationHost {
  settings(): StreamSettings;
  effects(effects: readonly Effect[]): void;
  lifecycle(event: StreamLifecycle): void;
  /** A failure; when it is not recoverable the call is over. */
  failed(error: NovaSonicError, recoverable: boolean): void;
  /** The call goes on, on another stream. */
  reconnected(): void;
  /** An exception of ours, which must neither stop the reader nor leave the process. */
  internalError(error: unknown, where: string): void;
  sent(event: ClientEvent, streamId: string): void;
  received(document: unknown, streamId: string): void;
}

/** How a call is kept alive, and by what means. */
export interface ContinuationOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: (prefix: string) => string;
  readonly regions: readonly string[];
  readonly retry: RetryOptions;
  readonly history: HistoryLimits;
  /** Age at which a stream is replaced at the next quiet moment (ms). */
  readonly renewAfterMs: number;
  /** How much of the caller's audio is kept for a stream that has to be replaced (ms). */
  readonly audioBufferMs: number;
  /** How long the service may owe an answer without any event (ms). */
  readonly progressMs: number;
  readonly openStream: (id: string, region: string, sink: StreamSink) => SonicStream;
}
