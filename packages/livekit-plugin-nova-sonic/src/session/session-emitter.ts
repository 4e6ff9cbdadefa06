// SPDX-License-Identifier: Apache-2.0
import type { EventEmitter } from 'node:events';
import type { ResolvedOptions } from '../options.js';
import { withoutAudio } from '../protocol/event-document.js';
import type { RealtimeSessionEvents } from '../session-events.js';

export interface Logger {
  debug(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** Emits the events of a session and logs. Exceptions of listeners are logged and ignored. */
export class SessionEmitter {
  readonly #emitter: EventEmitter;
  readonly #logger: Logger;
  readonly #label: string;
  readonly #options: ResolvedOptions;
  readonly #warned = new Set<string>();

  constructor(emitter: EventEmitter, logger: Logger, label: string, options: ResolvedOptions) {
    this.#emitter = emitter;
    this.#logger = logger;
    this.#label = label;
    this.#options = options;
  }

  /** Calls each listener by itself, so that an exception in one neither reaches us nor skips the others. */
  emit<K extends keyof RealtimeSessionEvents>(name: K, payload: RealtimeSessionEvents[K]): void {
    const listeners = this.#emitter.rawListeners(name);
    if (name === 'error' && listeners.length === 0) {
      this.#logger.warn(payload as object, 'error event has no listener');
    }
    for (const listener of listeners) {
      try {
        listener.call(this.#emitter, payload);
      } catch (error) {
        this.#logger.error({ error, event: name }, 'session listener threw');
      }
    }
  }

  emitError(error: Error, recoverable: boolean): void {
    this.emit('error', {
      type: 'realtime_model_error',
      timestamp: this.#options.clock.now(),
      label: this.#label,
      error,
      recoverable,
    });
  }

  /** Emits, and with `logEvents` logs, an event of Bedrock's stream without its audio. */
  emitBedrockEvent(
    name: 'bedrock_client_event_queued' | 'bedrock_server_event_received',
    document: unknown,
    streamId: string,
  ): void {
    const { logEvents, clock } = this.#options;
    if (!logEvents && this.#emitter.listenerCount(name) === 0) return;
    const { event } = withoutAudio(document);
    const eventName = Object.keys(event)[0] ?? 'unknown';
    if (logEvents) {
      this.#logger.debug({ streamId, event: eventName, 'lk.pii.content': event }, name);
    }
    this.emit(name, { streamId, at: clock.now(), name: eventName, event });
  }

  /** Logs a warning, once in the life of the session. */
  warnOnce(message: string, error?: Error): void {
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#logger.warn(error ? { error } : {}, message);
  }
}
