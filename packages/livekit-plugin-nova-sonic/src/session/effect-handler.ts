// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { RealtimeModel } from '../realtime-model.js';
import type { ToolDelivery } from '../tools/tool-result-router.js';
import type { Effect, ResponseRecord } from '../turns/effects.js';
import { GenerationChannels } from './generation-channels.js';
import type { AwaitedReplies } from './reply-futures.js';
import { responseMetrics, turnTiming } from './response-metrics.js';
import type { Telling } from './session-emitter.js';

export interface LiveKitSide {
  readonly model: RealtimeModel;
  readonly telling: Telling;
  readonly replies: AwaitedReplies;
  readonly tools: ToolDelivery;
  /** Tools are not to be called in replies that the application asks for. */
  toolsForbidden(): boolean;
  /** When the piece of audio with what had arrived at a moment was handed to the SDK. */
  sentAt(arrival: number): number | undefined;
  /** An effect could not be handled; the others are. */
  failed(error: unknown, effect: string): void;
}

/** What the conversation's effects are to LiveKit: generations with their channels, speech, transcripts, metrics. */
export class LiveKitEvents {
  readonly #side: LiveKitSide;
  readonly #generations = new Map<string, GenerationChannels>();
  readonly #userInitiated = new Set<string>();

  constructor(side: LiveKitSide) {
    this.#side = side;
  }

  /** Does all of them, whatever happens at one: an exception would silence the call. */
  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      try {
        this.#apply(effect);
      } catch (error) {
        this.#side.failed(error, effect.type);
      }
    }
  }

  #apply(effect: Effect): void {
    const { telling, tools, model } = this.#side;
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
        telling.event('input_speech_started', {});
        break;
      case 'speech_stopped':
        telling.event('input_speech_stopped', { userTranscriptionEnabled: false });
        break;
      case 'transcript':
        telling.event('input_audio_transcription_completed', {
          itemId: effect.itemId,
          transcript: effect.text,
          isFinal: effect.final,
          turnStartedAt: effect.startedAt,
        });
        break;
      case 'barge_in': {
        const { at, sign, id: responseId } = effect;
        tools.calls.interrupted();
        telling.event('barge_in', { at, sign, responseId });
        break;
      }
    }
  }

  /** One `generation_created` for each generation, owned by whoever asked for it. */
  #emitGenerationEvent(response: ResponseRecord, requestId: string | undefined): void {
    const { model, telling, replies } = this.#side;
    const awaited = replies.has(requestId);
    const { id, messageId } = response;
    const channels = new GenerationChannels(id, messageId, awaited, model.options.outputSampleRate);
    this.#generations.set(id, channels);
    if (awaited) {
      this.#userInitiated.add(id);
      replies.begun(requestId, channels.event);
    }
    telling.event('generation_created', channels.event);
  }

  #callTool(effect: Extract<Effect, { type: 'tool_call' }>): void {
    const { id, itemId, callId, name, args } = effect;
    const forbidden = this.#side.toolsForbidden() && this.#userInitiated.has(id);
    if (!this.#side.tools.called(effect, forbidden)) return;
    const call = llm.FunctionCall.create({ id: itemId, callId, name, args });
    this.#generations.get(id)?.call(call);
  }

  #closeGeneration(response: ResponseRecord): void {
    const { model, telling, sentAt } = this.#side;
    const channels = this.#generations.get(response.id);
    channels?.close();
    this.#generations.delete(response.id);
    this.#userInitiated.delete(response.id);
    const now = model.options.clock.now();
    telling.event('metrics_collected', responseMetrics(model, response, response.tokens, now));
    // A call of a tool without a word is no reply that anybody hears.
    if (response.firstAudioAt === undefined) return;
    const ended = response.userSpeechEndedAt;
    const sent = ended === undefined ? undefined : sentAt(ended);
    telling.event('turn_timing', turnTiming(response, sent, channels?.firstAudioAt));
  }
}
