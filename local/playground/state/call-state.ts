// SPDX-License-Identifier: Apache-2.0

import type { TokenCounts, TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { CallEvent } from '../../../agent/src/call/call-events.js';
import type { CallSide } from './call-side.js';
import {
  addMark,
  type MarkKind,
  setSpeaking,
  stopSpeaking,
  type Timeline,
} from './call-timeline.js';
import { type ClockOffset, observe, toPageTime, unknownOffset } from './clock-offset.js';
import { addBargeIn, addTurn, type ReplyHistory, setAgentAudible } from './reply-latency.js';
import {
  addToolCall,
  addTyped,
  completeToolCall,
  finalizeMessage,
  type TranscriptItem,
  updateTranscription,
} from './transcript.js';

/** Something that the page received or did; `at` is ms since the epoch by the page's clock. */
export type CallAction = { at: number } & (
  | { kind: 'call_event'; event: CallEvent }
  /** A segment of LiveKit's transcription: `text` is the whole segment so far. */
  | { kind: 'transcription'; who: CallSide; id: string; text: string; done: boolean }
  | { kind: 'typed'; id: string; text: string }
  /** The agent became audible in this page, or silent. */
  | { kind: 'sound'; audible: boolean }
  | { kind: 'connection'; state: 'lost' | 'restored' }
  | { kind: 'answered' | 'hung_up' }
  /** The agent left the room, and an attribute holds the reason. */
  | { kind: 'agent_left'; reason: string }
);

/** What the agent is; it publishes this when it joins. */
export interface AgentInfo {
  model: string;
  voice: string;
  regions: string[];
  /** Whether the agent publishes its Bedrock events. */
  publishesBedrockEvents: boolean;
  prices: TokenPrices;
}

/** Everything that the page knows about one call. Immutable: `reduce` makes a new one. */
export interface CallState {
  startedAt: number;
  answeredAt?: number;
  endedAt?: number;
  /** Why the call ended, according to the agent. */
  endReason?: string;
  clockOffset: ClockOffset;
  transcript: readonly TranscriptItem[];
  timeline: Timeline;
  replies: ReplyHistory;
  tokens: Required<TokenCounts>;
  agent?: AgentInfo;
}

export function initialCallState(startedAt: number): CallState {
  return {
    startedAt,
    clockOffset: unknownOffset,
    transcript: [],
    timeline: { spans: [], marks: [] },
    replies: { turns: [], bargeIns: [], sounds: [] },
    tokens: { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 },
  };
}

export function reduce(state: CallState, action: CallAction): CallState {
  const { at } = action;
  switch (action.kind) {
    case 'call_event':
      return reduceCallEvent(state, action.event, at);
    case 'transcription':
      return { ...state, transcript: updateTranscription(state.transcript, action) };
    case 'typed':
      return {
        ...state,
        transcript: addTyped(state.transcript, action),
        timeline: addMark(state.timeline, { at, kind: 'typed', text: 'typed' }),
      };
    case 'sound':
      return { ...state, replies: setAgentAudible(state.replies, action.audible, at) };
    case 'connection': {
      const text = `connection ${action.state}`;
      return { ...state, timeline: addMark(state.timeline, { at, kind: 'connection', text }) };
    }
    case 'answered':
      return { ...state, answeredAt: state.answeredAt ?? at };
    case 'agent_left':
      return { ...state, endReason: action.reason };
    case 'hung_up':
      return {
        ...state,
        endedAt: state.endedAt ?? at,
        timeline: stopSpeaking(state.timeline, at),
      };
  }
}

function reduceCallEvent(before: CallState, event: CallEvent, arrivedAt: number): CallState {
  const state = { ...before, clockOffset: observe(before.clockOffset, event.at, arrivedAt) };
  const at = toPageTime(state.clockOffset, event.at);
  const withMark = (kind: MarkKind, text: string) => addMark(state.timeline, { at, kind, text });
  switch (event.type) {
    case 'ready': {
      const { model, voice, regions, wire: publishesBedrockEvents, prices } = event;
      return { ...state, agent: { model, voice, regions, publishesBedrockEvents, prices } };
    }
    case 'state': {
      const who = event.who === 'user' ? 'you' : 'agent';
      const speaking = event.state === 'speaking';
      return { ...state, timeline: setSpeaking(state.timeline, who, speaking, at) };
    }
    case 'message':
      return { ...state, transcript: finalizeMessage(state.transcript, event, at) };
    case 'tool_started':
      return {
        ...state,
        transcript: addToolCall(state.transcript, event, at),
        timeline: withMark('tool', event.name),
      };
    case 'tool': {
      const transcript = completeToolCall(state.transcript, event, at);
      if (!event.isError) return { ...state, transcript };
      return { ...state, transcript, timeline: withMark('error', `${event.name} failed`) };
    }
    case 'turn':
      return { ...state, replies: addTurn(state.replies, event) };
    case 'barge_in':
      return {
        ...state,
        replies: addBargeIn(state.replies, at, event.responseId),
        timeline: withMark('barge_in', 'barge-in'),
      };
    case 'usage': {
      const { audioIn, audioOut, textIn, textOut } = event;
      return { ...state, tokens: { audioIn, audioOut, textIn, textOut } };
    }
    case 'stream':
      // Not worth a mark: the result, opened or failed, follows soon.
      if (event.event === 'opening') return state;
      return { ...state, timeline: withMark(streamMarkKind(event.event), describeStream(event)) };
    case 'error':
      return { ...state, timeline: withMark('error', event.message) };
    case 'ended':
      return { ...state, endReason: event.reason };
    default:
      // Bedrock events are kept apart (page-state.ts): there are many, and few users look at them.
      return state;
  }
}

const streamMarkKind = (event: string): MarkKind =>
  event === 'failed' || event === 'throttled' ? 'error' : 'stream';

function describeStream(event: Extract<CallEvent, { type: 'stream' }>): string {
  const text = `stream ${event.event.replace(/_/g, ' ')}, ${event.region}`;
  return event.error ? `${text}: ${event.error}` : text;
}
