// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { ContinuationHost, StreamPlace } from '../continuation/continuation-host.js';
import type { ClientEvent } from '../protocol/client-events.js';
import type { NovaSonicError } from '../protocol/errors.js';
import type { StreamSettings } from '../protocol/session-config.js';
import type { StreamLifecycle } from '../session-events.js';
import type { Effect } from '../turns/effects.js';
import type { EffectHandler } from './effect-handler.js';
import type { ReplyFutures } from './reply-futures.js';
import { connectionMetrics, type ModelIdentity } from './response-metrics.js';
import type { Logger, SessionEmitter } from './session-emitter.js';
import type { SessionSettings } from './session-settings.js';

interface SessionHostContext {
  readonly model: ModelIdentity;
  readonly logger: Logger;
  readonly sessionSettings: SessionSettings;
  readonly effectHandler: EffectHandler;
  readonly emitter: SessionEmitter;
  readonly replies: ReplyFutures;
}

/** The session as its continuation sees it: provides the settings, receives effects, events and failures. */
export class SessionHost implements ContinuationHost {
  readonly #context: SessionHostContext;

  constructor(context: SessionHostContext) {
    this.#context = context;
  }

  settings(): StreamSettings {
    return this.#context.sessionSettings.stream;
  }

  toolName(wireName: string): string {
    return this.#context.sessionSettings.toolNames.fromWire(wireName);
  }

  effects(effects: readonly Effect[]): void {
    this.#context.effectHandler.run(effects);
  }

  lifecycle(event: StreamLifecycle): void {
    const { logger, emitter, model } = this.#context;
    logger.debug(event, 'stream lifecycle');
    emitter.emit('stream_lifecycle', event);
    if (event.type === 'opened')
      emitter.emit('metrics_collected', connectionMetrics(model, event.openMs ?? 0, event.at));
  }

  failed(error: NovaSonicError, recoverable: boolean): void {
    const { logger, emitter, replies } = this.#context;
    const fields = { kind: error.kind, region: error.region, 'lk.pii.error': error.message };
    if (recoverable) logger.warn(fields, 'stream failed, call continues');
    else {
      logger.error(fields, 'call cannot be served and ends');
      replies.rejectAll(new llm.RealtimeError(error.message));
    }
    emitter.emitError(error, recoverable);
  }

  cut({ id, lane }: StreamPlace): void {
    this.#context.logger.warn(
      { streamId: id, lane },
      'stream was cut without its closing events, it may count against the quota for a while',
    );
  }

  reconnected(): void {
    this.#context.emitter.emit('session_reconnected', {});
  }

  internalError(error: unknown, where: string): void {
    this.#context.logger.error({ error, where }, 'internal error in plugin');
  }

  sent(event: ClientEvent, streamId: string): void {
    this.#context.emitter.emitBedrockEvent('bedrock_client_event_queued', event, streamId);
  }

  received(document: unknown, streamId: string): void {
    this.#context.emitter.emitBedrockEvent('bedrock_server_event_received', document, streamId);
  }
}
