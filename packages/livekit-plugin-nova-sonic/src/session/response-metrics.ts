// SPDX-License-Identifier: Apache-2.0
import type { metrics } from '@livekit/agents';
import type { TokenUsage } from '../protocol/server-events.js';
import type { TurnTiming } from '../session-events.js';
import type { ResponseRecord } from '../turns/effects.js';

export interface ModelIdentity {
  readonly model: string;
  readonly provider: string;
  label(): string;
}

/**
 * LiveKit's metrics of one response: tokens are what was used since the response before, as the framework adds them
 * up. `timestamp` is when the response was requested, and `ttftMs` counts from there. Without a response: what
 * was used after the last one.
 */
export function responseMetrics(
  model: ModelIdentity,
  response: ResponseRecord | undefined,
  tokens: TokenUsage,
  now: number,
): metrics.RealtimeModelMetrics {
  const inputTokens = tokens.inputAudio + tokens.inputText;
  const outputTokens = tokens.outputAudio + tokens.outputText;
  const from = response?.requestedAt ?? now;
  const durationMs = Math.max(0, (response?.closedAt ?? now) - from);
  return {
    type: 'realtime_model_metrics',
    label: model.label(),
    requestId: response?.id ?? '',
    timestamp: from,
    durationMs,
    ttftMs: response?.firstAudioAt === undefined ? -1 : response.firstAudioAt - from,
    cancelled: response?.interrupted ?? false,
    inputTokens,
    outputTokens,
    totalTokens: inputTokens + outputTokens,
    tokensPerSecond: durationMs > 0 ? (outputTokens * 1_000) / durationMs : 0,
    inputTokenDetails: {
      audioTokens: tokens.inputAudio,
      textTokens: tokens.inputText,
      imageTokens: 0,
      cachedTokens: 0,
    },
    outputTokenDetails: {
      audioTokens: tokens.outputAudio,
      textTokens: tokens.outputText,
      imageTokens: 0,
    },
    metadata: { modelName: model.model, modelProvider: model.provider },
  };
}

/** LiveKit's metrics of a stream that was opened: it took `acquireTimeMs`, and belongs to no response. */
export function connectionMetrics(
  model: ModelIdentity,
  acquireTimeMs: number,
  now: number,
): metrics.RealtimeModelMetrics {
  const none = { inputAudio: 0, inputText: 0, outputAudio: 0, outputText: 0 };
  return {
    ...responseMetrics(model, undefined, none, now),
    acquireTimeMs,
    connectionReused: false,
  };
}

/** The timing of a reply. */
export function turnTiming(response: ResponseRecord, firstAudioAt: number | undefined): TurnTiming {
  return {
    responseId: response.id,
    userSpeechEndedAt: response.userSpeechEndedAt,
    userSpeechSentAt: response.userSpeechSentAt,
    firstAudioReceivedAt: response.firstAudioAt,
    firstAudioAt,
    interrupted: response.interrupted,
    toolWaitMs: response.toolWaitMs,
    audioMs: Math.round(response.audioMs),
  };
}
