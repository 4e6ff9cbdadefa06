// SPDX-License-Identifier: Apache-2.0
/** The events that a session emits beyond LiveKit's. */
import type { llm, metrics } from '@livekit/agents';
import type { NovaSonicErrorKind } from './protocol/errors.js';

/** A change in the life of one of the call's streams; for metrics and logs. */
export interface StreamLifecycle {
  /**
   * `opening` before connecting, `opened` at the service's first event, `renewed` when the call moved to a new
   * stream as planned, `failed_over` when it moved after a failure, `throttled` and `failed` with the reason,
   * `closed` when the plugin ended it.
   */
  readonly type:
    | 'opening'
    | 'opened'
    | 'renewed'
    | 'failed_over'
    | 'throttled'
    | 'failed'
    | 'closed';
  /** The stream; the `streamId` of Bedrock events. */
  readonly streamId: string;
  /** AWS Region of the stream. */
  readonly region: string;
  /** Name of the stream's lane: the Region, unless the option `lanes` says otherwise. */
  readonly lane: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Why the stream was opened, renewed or closed. */
  readonly reason?: string;
  /** What failed (`throttled`, `failed`). */
  readonly kind?: NovaSonicErrorKind;
  /** The message of the failure. */
  readonly error?: string;
  /** From the connect to the service's first event, in ms (`opened`). */
  readonly openMs?: number;
  /** How long the stream was up, in ms (`failed`, `closed`; at `renewed` that of the old stream). */
  readonly livedMs?: number;
}

/** The timing of one reply; times in milliseconds since the epoch. Emitted when the reply has been generated. */
export interface TurnTiming {
  /** The reply; as in `generation_created`. */
  readonly responseId: string;
  /** When the last sample of the user's speech was given to `pushAudio`; from the service's own offset. */
  readonly userSpeechEndedAt?: number;
  /** When the chunk of audio with that sample was handed to the SDK. */
  readonly userSpeechSentAt?: number;
  /** When the first sound of the reply arrived from Bedrock. */
  readonly firstAudioReceivedAt?: number;
  /** When it was handed to LiveKit. */
  readonly firstAudioAt?: number;
  /**
   * It was cut while it was being generated: the caller spoke over it, or the application stopped it. A reply is
   * generated long before it is played: speech over the rest of its playback is reported by `barge_in`.
   */
  readonly interrupted: boolean;
  /** How long tools took between the question and this reply, in ms. */
  readonly toolWaitMs: number;
  /** Length of the reply's audio, in ms. */
  readonly audioMs: number;
}

/** The signal by which the service reported that the caller spoke over the agent. */
export type BargeInSign = 'user_speech_start' | 'interrupted_text' | 'stop_reason' | 'user_text';

/** The caller spoke over a reply that was being spoken. */
export interface BargeIn {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The first signal of the service. */
  readonly sign: BargeInSign;
  /** The reply that was spoken over: still being generated, or only played (then its `turn_timing` came before). */
  readonly responseId?: string;
}

/** The model calls a tool. */
export interface ToolCallStarted {
  /** The call; as in LiveKit's FunctionCall. */
  readonly callId: string;
  /** Name of the tool. */
  readonly name: string;
  /** The arguments as JSON, as the model wrote them. */
  readonly args: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
}

/** A tool has returned, thrown, or been given up; emitted once for each call, as soon as the result is known. */
export interface ToolCallEnded extends ToolCallStarted {
  /** What the tool returned, or the error's message. */
  readonly output: string;
  /** True when the tool threw or was given up. */
  readonly isError: boolean;
  /** How long the call took, in ms. */
  readonly ms: number;
}

/** An event of Bedrock's stream; audio content is replaced by its length in bytes. */
export interface BedrockEvent {
  /** The stream; as in `stream_lifecycle`. */
  readonly streamId: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** Name of the event. */
  readonly name: string;
  /** The document under `event`. */
  readonly event: Record<string, unknown>;
}

/** The events of a session by name. */
export interface RealtimeSessionEvents {
  /** LiveKit: a reply begins. */
  generation_created: llm.GenerationCreatedEvent;
  /** LiveKit: the service heard the caller begin to speak. */
  input_speech_started: llm.InputSpeechStartedEvent;
  /** LiveKit: the caller has stopped. */
  input_speech_stopped: llm.InputSpeechStoppedEvent;
  /** LiveKit: what the caller said, so far or (`isFinal`) as a whole. */
  input_audio_transcription_completed: llm.InputTranscriptionCompleted;
  /** LiveKit: tokens and times of one reply; or, with `acquireTimeMs`, that a stream was opened. */
  metrics_collected: metrics.RealtimeModelMetrics;
  /** LiveKit: something failed; `recoverable` unless the call is over. */
  error: llm.RealtimeModelError;
  /** LiveKit: the call has moved to another stream. */
  session_reconnected: llm.RealtimeSessionReconnectedEvent;
  /** An event that the service sent. */
  bedrock_server_event_received: BedrockEvent;
  /** An event that is sent to the service. */
  bedrock_client_event_queued: BedrockEvent;
  /** A stream is opened, renewed, closed, or fails. */
  stream_lifecycle: StreamLifecycle;
  /** A reply was generated: how long it took. */
  turn_timing: TurnTiming;
  /** The caller spoke over a reply. */
  barge_in: BargeIn;
  /** The model calls a tool. */
  tool_call_started: ToolCallStarted;
  /** A tool has returned, thrown, or been given up. */
  tool_call_ended: ToolCallEnded;
}
