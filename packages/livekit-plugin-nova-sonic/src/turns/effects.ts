// SPDX-License-Identifier: Apache-2.0
/** The effects of a conversation and their types. */

import type { HistoryEntry } from '../history/entries.js';
import type { TokenUsage } from '../protocol/server-events.js';
import type { BargeInSign } from '../session-events.js';
import type { Subject } from './answers.js';

/** Why a generation's channels were closed. */
export type CloseReason =
  | 'end_turn'
  | 'tool_call'
  | 'interrupted'
  | 'stopped'
  | 'stalled'
  | 'lost'
  | 'closed';

/** One response, for metrics and timing. All times in milliseconds since the epoch. */
export interface ResponseRecord {
  readonly id: string;
  readonly messageId: string;
  /** When it was requested: the end of the user's speech was detected, or a text or tool result was sent. */
  requestedAt: number;
  readonly openedAt: number;
  firstAudioAt?: number;
  closedAt?: number;
  /** Length of the audio that was handed on. */
  audioMs: number;
  interrupted: boolean;
  /** Last sample of the user's speech that this answers, where it is an answer to speech. */
  userSpeechEndedAt?: number;
  /** When the chunk with that sample was handed to the SDK; known while its stream is the current one. */
  userSpeechSentAt?: number;
  /** How long tools took between the question and this answer. */
  toolWaitMs: number;
  tokens: TokenUsage;
}

export type Effect =
  | {
      readonly type: 'generation_opened';
      readonly response: ResponseRecord;
      readonly requestId?: string;
    }
  | { readonly type: 'text'; readonly id: string; readonly text: string }
  | { readonly type: 'audio'; readonly id: string; readonly content: string }
  | {
      readonly type: 'tool_call';
      readonly id: string;
      readonly itemId: string;
      readonly callId: string;
      readonly name: string;
      readonly args: string;
    }
  | {
      readonly type: 'generation_closed';
      readonly response: ResponseRecord;
      readonly reason: CloseReason;
    }
  /** A request was answered by a reply that answered earlier questions, too. */
  | { readonly type: 'request_answered'; readonly id: string }
  | { readonly type: 'speech_started' }
  | { readonly type: 'speech_stopped' }
  | {
      readonly type: 'transcript';
      readonly itemId: string;
      readonly text: string;
      readonly final: boolean;
      readonly startedAt: number;
    }
  | {
      readonly type: 'barge_in';
      readonly sign: BargeInSign;
      readonly at: number;
      readonly id?: string;
    };

/** The time of an event, and how the service's audio offsets map to when those samples arrived and were sent. */
export interface EventTiming {
  readonly now: number;
  /** When the caller's voice was last heard: stands in for offsets that the service leaves out. */
  readonly lastVoiceAt?: number;
  /** Arrival of the sample at an offset (ms of audio) of the current stream. */
  readonly sampleAt?: (offsetMs: number) => number | undefined;
  /** When the sample at an offset was sent on the current stream. */
  readonly sentAt?: (offsetMs: number) => number | undefined;
}

/** What the stream that follows a lost one must get. */
export interface ResumePlan {
  readonly history: readonly HistoryEntry[];
  /** To be sent as the user's message, since its answer was lost. */
  readonly prompt?: string;
  /** What that asks for. */
  readonly asks?: Subject;
  /** The caller's audio from this time on was not transcribed yet (ms since the epoch). */
  readonly audioFrom: number;
}

export const NO_TOKENS: TokenUsage = {
  inputAudio: 0,
  inputText: 0,
  outputAudio: 0,
  outputText: 0,
};
export const addTokens = (a: TokenUsage, b: TokenUsage): TokenUsage => ({
  inputAudio: a.inputAudio + b.inputAudio,
  inputText: a.inputText + b.inputText,
  outputAudio: a.outputAudio + b.outputAudio,
  outputText: a.outputText + b.outputText,
});
