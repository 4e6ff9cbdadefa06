// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { RealtimeModel } from '../realtime-model.js';
import type { ToolResultRouter } from '../tools/tool-result-router.js';
import type { Effect, ResponseRecord } from '../turns/effects.js';
import { GenerationChannels } from './generation-channels.js';
import type { ReplyFutures } from './reply-futures.js';
import { responseMetrics, turnTiming } from './response-metrics.js';
import type { SessionEmitter } from './session-emitter.js';

export interface EffectHandlerContext {
  readonly model: RealtimeModel;
  readonly emitter: SessionEmitter;
  readonly replies: ReplyFutures;
  readonly tools: ToolResultRouter;
  /** Tools are not to be called in replies that the application asks for. */
  toolsForbidden(): boolean;
  /** When the piece of audio with what had arrived at a moment was handed to the SDK. */
  sentAt(arrival: number): number | undefined;
  /** An effect could not be handled; the others are. */
  onError(error: unknown, effect: string): void;
}

/** What the conversation's effects are to LiveKit: generations with their channels, speech, transcripts, metrics. */
export class EffectHandler {
  readonly #context: EffectHandlerContext;
  readonly #generations = new Map<string, GenerationChannels>();
  readonly #userInitiated = new Set<string>();

  constructor(side: EffectHandlerContext) {
    this.#context = side;
  }

  /** Does all of them, whatever happens at one: an exception would silence the call. */
  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      try {
        this.#apply(effect);
      } catch (error) {
        this.#context.onError(error, effect.type);
      }
    }
  }

  #apply(effect: Effect): void {
    const { emitter: telling, tools, model } = this.#context;
    switch (effect.type) {
      case 'generation_opened':
        this.#emitGenerationEvent(effect.response, effect.requestId);
        break;
      case 'text':
        this.#generations.get(effect.id)?.text(effect.text);
        break;
      case 'audio':
        this.#generations.get(effect.id)?.audio(effect.content, model.options.clock.now());
        break;
      case 'tool_call':
        this.#callTool(effect);
        break;
      case 'generation_closed':
        this.#closeGeneration(effect.response);
        break;
      case 'speech_started':
        telling.emit('input_speech_started', {});
        break;
      case 'speech_stopped':
        telling.emit('input_speech_stopped', { userTranscriptionEnabled: false });
        break;
      case 'transcript':
        telling.emit('input_audio_transcription_completed', {
          itemId: effect.itemId,
          transcript: effect.text,
          isFinal: effect.final,
          turnStartedAt: effect.startedAt,
        });
        break;
      case 'barge_in': {
        const { at, sign, id: responseId } = effect;
        tools.calls.interrupted();
        telling.emit('barge_in', { at, sign, responseId });
        break;
      }
    }
  }

  /** One `generation_created` for each generation, owned by whoever asked for it. */
  #emitGenerationEvent(response: ResponseRecord, requestId: string | undefined): void {
    const { model, emitter: telling, replies } = this.#context;
    const awaited = replies.has(requestId);
    const { id, messageId } = response;
    const channels = new GenerationChannels(id, messageId, awaited, model.options.outputSampleRate);
    this.#generations.set(id, channels);
    if (awaited) {
      this.#userInitiated.add(id);
      replies.resolve(requestId, channels.event);
    }
    telling.emit('generation_created', channels.event);
  }

  #callTool(effect: Extract<Effect, { type: 'tool_call' }>): void {
    const { id, itemId, callId, name, args } = effect;
    const forbidden = this.#context.toolsForbidden() && this.#userInitiated.has(id);
    if (!this.#context.tools.called(effect, forbidden)) return;
    const call = llm.FunctionCall.create({ id: itemId, callId, name, args });
    this.#generations.get(id)?.call(call);
  }

  #closeGeneration(response: ResponseRecord): void {
    const { model, emitter: telling, sentAt } = this.#context;
    const channels = this.#generations.get(response.id);
    channels?.close();
    this.#generations.delete(response.id);
    this.#userInitiated.delete(response.id);
    const now = model.options.clock.now();
    telling.emit('metrics_collected', responseMetrics(model, response, response.tokens, now));
    // A call of a tool without a word is no reply that anybody hears.
    if (response.firstAudioAt === undefined) return;
    const ended = response.userSpeechEndedAt;
    const sent = ended === undefined ? undefined : sentAt(ended);
    telling.emit('turn_timing', turnTiming(response, sent, channels?.firstAudioAt));
  }
}
