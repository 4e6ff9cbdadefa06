// SPDX-License-Identifier: Apache-2.0

// What the agent publishes about a call. Types and names only, without imports at run time: the page uses them too.

import type { TokenCounts, TokenPrices } from 'livekit-plugin-nova-sonic/models';

/** LiveKit text-stream topic on which the agent publishes the events of the call. */
export const CALL_EVENTS_TOPIC = 'nova-sonic.call';

/** Topic on which a participant asks for missed events; the text is the first `seq` it wants. */
export const CALL_EVENTS_REPLAY_TOPIC = 'nova-sonic.call.again';

/** Attribute of the agent with the reason why the call ended; also reaches participants that missed all events. */
export const CALL_ENDED_ATTRIBUTE = 'nova-sonic.ended';

/** Attribute of an agent in which LiveKit's framework publishes what its session does; absent before it has begun. */
export const AGENT_STATE_ATTRIBUTE = 'lk.agent.state';

/**
 * Attribute of the participant that keeps callers company while all lines are taken, see agent/src/line/: `waiting`, or
 * `turned_away` when the line is full as well.
 */
export const WAITING_LINE_ATTRIBUTE = 'nova-sonic.waiting-line';

/** The reason of a call that the model ended, with the tool `end_call`. */
export const ENDED_BY_TOOL = 'end_call_tool';

/** Milliseconds since the epoch by the agent's clock. */
type Timestamped = { at: number };

/** One Bedrock event, or several audio events of the same size in a row. */
export interface PublishedBedrockEvent {
  at: number;
  /** As in the emulator's event log. `in`: to the model; `out`: from the model. */
  direction: 'in' | 'out';
  streamId: string;
  /** `audioInput`, `textOutput`, ... */
  name: string;
  /** The event's body, with the size in place of audio. */
  event: Record<string, unknown>;
  /** How many events this one stands for; `until` is the time of the last. Absent: one. */
  count?: number;
  until?: number;
}

/** One event of a call; published as JSON, one text stream each, in order. */
export type CallEvent = Timestamped &
  (
    | {
        type: 'ready';
        model: string;
        voice: string;
        regions: string[];
        /** Whether the agent speaks first. */
        greets: boolean;
        /** Whether Bedrock events will follow, as `wire` events. */
        wire: boolean;
        prices: TokenPrices;
      }
    /** `agent`: initializing, listening, thinking, speaking. `user`: listening, speaking, away. */
    | { type: 'state'; who: 'agent' | 'user'; state: string }
    /** A message as it stands in the chat context: only what was really said. */
    | { type: 'message'; role: 'user' | 'assistant'; text: string; interrupted: boolean }
    /** The model calls a tool; a `tool` event with the same `callId` follows when the tool has ended. */
    | { type: 'tool_started'; callId: string; name: string; args: string }
    | {
        type: 'tool';
        callId: string;
        name: string;
        args: string;
        result: string;
        isError: boolean;
        ms: number;
      }
    /**
     * The parts of a reply's latency. `userSpeechEndedAt`: the last sample of the caller's speech reached the
     * plugin; `firstAudioReceivedAt`: the model's first audio arrived; `firstAudioAt`: it was handed to LiveKit.
     */
    | {
        type: 'turn';
        responseId: string;
        userSpeechEndedAt?: number;
        firstAudioReceivedAt?: number;
        firstAudioAt?: number;
        /** Milliseconds that tools took between the question and this reply: a part of the model's share. */
        toolWaitMs: number;
        interrupted: boolean;
      }
    | { type: 'barge_in'; sign: string; responseId?: string }
    /** Tokens since the call began. */
    | ({ type: 'usage' } & Required<TokenCounts>)
    /** Bedrock events, only with PUBLISH_BEDROCK_EVENTS=true. */
    | { type: 'wire'; events: PublishedBedrockEvent[] }
    | {
        type: 'stream';
        event: string;
        streamId: string;
        region: string;
        reason?: string;
        error?: string;
      }
    | { type: 'error'; message: string; recoverable: boolean }
    | { type: 'ended'; reason: string }
  );

/**
 * An event as it is sent: `seq` counts from 0, so that a receiver can see what it missed. A process that takes up a call
 * whose process died counts from 0 again, with the next `run`; what it did not receive is lost.
 */
export type SequencedCallEvent = CallEvent & { seq: number; run?: number };
