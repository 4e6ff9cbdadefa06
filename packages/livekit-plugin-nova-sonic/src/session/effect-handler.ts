// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { Clock } from '../clock.js';
import type { ToolResultRouter } from '../tools/tool-result-router.js';
import type { Effect, ResponseRecord } from '../turns/effects.js';
import { GenerationChannels } from './generation-channels.js';
import type { ReplyFutures } from './reply-futures.js';
import { type ModelIdentity, responseMetrics, turnTiming } from './response-metrics.js';
import type { SessionEmitter } from './session-emitter.js';

export interface EffectHandlerContext {
  readonly model: ModelIdentity;
  readonly clock: Clock;
  readonly outputSampleRate: number;
  readonly emitter: SessionEmitter;
  readonly replies: ReplyFutures;
  readonly tools: ToolResultRouter;
  /** True while replies that the application requests must not call tools. */
  toolsForbidden(): boolean;
  /** Handling one effect threw; the others are handled all the same. */
  onError(error: unknown, effect: string): void;
}

/** Turns the effects of the conversation into LiveKit's generations, speech events, transcripts and metrics. */
export class EffectHandler {
  readonly #context: EffectHandlerContext;
  readonly #generations = new Map<string, GenerationChannels>();
  readonly #userInitiated = new Set<string>();

  constructor(context: EffectHandlerContext) {
    this.#context = context;
  }

  /** Handles each effect by itself: an exception that escaped would silence the call. */
  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      try {
        this.#handle(effect);
      } catch (error) {
        this.#context.onError(error, effect.type);
      }
    }
  }

  #handle(effect: Effect): void {
    const { emitter, tools, clock } = this.#context;
    switch (effect.type) {
      case 'generation_opened':
        this.#openGeneration(effect.response, effect.requestId);
        break;
      case 'request_answered':
        this.#context.replies.answered(effect.id);
        break;
      case 'text':
        this.#generations.get(effect.id)?.text(effect.text);
        break;
      case 'audio':
        this.#generations.get(effect.id)?.audio(effect.content, clock.now());
        break;
      case 'tool_call':
        this.#callTool(effect);
        break;
      case 'generation_closed':
        this.#closeGeneration(effect.response);
        break;
      case 'speech_started':
        emitter.emit('input_speech_started', {});
        break;
      case 'speech_stopped':
        emitter.emit('input_speech_stopped', { userTranscriptionEnabled: false });
        break;
      case 'transcript':
        emitter.emit('input_audio_transcription_completed', {
          itemId: effect.itemId,
          transcript: effect.text,
          isFinal: effect.final,
          turnStartedAt: effect.startedAt,
        });
        break;
      case 'barge_in': {
        const { at, sign, id: responseId } = effect;
        tools.calls.interrupted();
        emitter.emit('barge_in', { at, sign, responseId });
        break;
      }
    }
  }

  /** Emits one `generation_created` for each generation; `userInitiated` when `generateReply` requested it. */
  #openGeneration(response: ResponseRecord, requestId: string | undefined): void {
    const { emitter, replies, outputSampleRate } = this.#context;
    const userInitiated = replies.has(requestId);
    const { id, messageId } = response;
    const channels = new GenerationChannels(id, messageId, userInitiated, outputSampleRate);
    this.#generations.set(id, channels);
    if (userInitiated) {
      this.#userInitiated.add(id);
      replies.resolve(requestId, channels.event);
    }
    emitter.emit('generation_created', channels.event);
  }

  #callTool(effect: Extract<Effect, { type: 'tool_call' }>): void {
    const { id, itemId, callId, name, args } = effect;
    const forbidden = this.#context.toolsForbidden() && this.#userInitiated.has(id);
    if (!this.#context.tools.called(effect, forbidden)) return;
    const call = llm.FunctionCall.create({ id: itemId, callId, name, args });
    this.#generations.get(id)?.call(call);
  }

  #closeGeneration(response: ResponseRecord): void {
    const { model, emitter, clock } = this.#context;
    const channels = this.#generations.get(response.id);
    channels?.close();
    this.#generations.delete(response.id);
    this.#userInitiated.delete(response.id);
    const metrics = responseMetrics(model, response, response.tokens, clock.now());
    emitter.emit('metrics_collected', metrics);
    // A tool call without audio is no reply that the caller hears.
    if (response.firstAudioAt === undefined) return;
    emitter.emit('turn_timing', turnTiming(response, channels?.firstAudioAt));
  }
}
