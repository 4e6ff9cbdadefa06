// SPDX-License-Identifier: Apache-2.0

import type { TokenCounts, TokenPrices } from 'livekit-plugin-nova-sonic/models';
import type { CallEvent } from '../../../agent/src/call/call-events.js';
import { type Clock, noClock, observed, toPage } from './clock-offset.js';
import { bargedIn, heard, type Replies, replied } from './replies.js';
import type { Speaker } from './speaker.js';
import { marked, state, type Timeline } from './timeline.js';
import { type Line, said, settled, toolEnded, toolStarted, typed } from './transcript.js';

/** Something that the page was told or noticed; `at` is ms since the epoch by the page's own clock. */
export type Happening = { at: number } & (
  | { kind: 'feed'; message: CallEvent }
  /** Words as LiveKit brings them: `text` is all of the segment so far. */
  | { kind: 'words'; who: Speaker; id: string; text: string; done: boolean }
  | { kind: 'typed'; id: string; text: string }
  /** The agent's sound began or ended in this page. */
  | { kind: 'sound'; audible: boolean }
  | { kind: 'link'; state: 'lost' | 'back' }
  | { kind: 'answered' | 'hung_up' }
  /** The agent has left the room, and said why. */
  | { kind: 'agent_left'; reason: string }
);

/** All that the page knows about one call. Never changed: each happening makes a new one. */
export interface CallRecord {
  startedAt: number;
  answeredAt?: number;
  endedAt?: number;
  /** Why the agent says that it ended. */
  endReason?: string;
  clock: Clock;
  lines: readonly Line[];
  timeline: Timeline;
  replies: Replies;
  tokens: Required<TokenCounts>;
  about?: { model: string; voice: string; regions: string[]; wire: boolean; prices: TokenPrices };
}

export function newRecord(startedAt: number): CallRecord {
  return {
    startedAt,
    clock: noClock,
    lines: [],
    timeline: { spans: [], marks: [] },
    replies: { turns: [], bargeIns: [], sounds: [] },
    tokens: { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 },
  };
}

/** The record after something happened. */
export function apply(record: CallRecord, happening: Happening): CallRecord {
  const { at } = happening;
  switch (happening.kind) {
    case 'feed':
      return applyFeed(record, happening.message, at);
    case 'words':
      return { ...record, lines: said(record.lines, { ...happening, at }) };
    case 'typed':
      return {
        ...record,
        lines: typed(record.lines, { ...happening, at }),
        timeline: marked(record.timeline, { at, kind: 'typed', text: 'typed' }),
      };
    case 'sound':
      return { ...record, replies: heard(record.replies, happening.audible, at) };
    case 'link': {
      const text = happening.state === 'lost' ? 'connection lost' : 'connected again';
      return { ...record, timeline: marked(record.timeline, { at, kind: 'link', text }) };
    }
    case 'answered':
      return { ...record, answeredAt: record.answeredAt ?? at };
    case 'agent_left':
      return { ...record, endReason: happening.reason };
    case 'hung_up':
      return { ...record, endedAt: record.endedAt ?? at, timeline: state(record.timeline, at) };
  }
}

function applyFeed(before: CallRecord, message: CallEvent, arrivedAt: number): CallRecord {
  const record = { ...before, clock: observed(before.clock, message.at, arrivedAt) };
  const at = toPage(record.clock, message.at);
  const mark = (kind: Parameters<typeof marked>[1]['kind'], text: string) =>
    marked(record.timeline, { at, kind, text });
  switch (message.type) {
    case 'ready': {
      const { model, voice, regions, wire, prices } = message;
      return { ...record, about: { model, voice, regions, wire, prices } };
    }
    case 'state': {
      const who = message.who === 'user' ? 'you' : 'agent';
      return { ...record, timeline: state(record.timeline, at, who, message.state === 'speaking') };
    }
    case 'message':
      return { ...record, lines: settled(record.lines, message, at) };
    case 'tool_started':
      return {
        ...record,
        lines: toolStarted(record.lines, message, at),
        timeline: mark('tool', message.name),
      };
    case 'tool': {
      const lines = toolEnded(record.lines, message, at);
      if (!message.isError) return { ...record, lines };
      return { ...record, lines, timeline: mark('error', `${message.name} failed`) };
    }
    case 'turn':
      return { ...record, replies: replied(record.replies, message) };
    case 'barge_in':
      return {
        ...record,
        replies: bargedIn(record.replies, at, message.responseId),
        timeline: mark('barge_in', 'barge-in'),
      };
    case 'usage': {
      const { audioIn, audioOut, textIn, textOut } = message;
      return { ...record, tokens: { audioIn, audioOut, textIn, textOut } };
    }
    case 'stream':
      // That one is being opened is no news: soon it is open, or it has failed.
      if (message.event === 'opening') return record;
      return { ...record, timeline: mark(streamKind(message.event), streamText(message)) };
    case 'error':
      return { ...record, timeline: mark('error', message.message) };
    case 'ended':
      return { ...record, endReason: message.reason };
    default:
      // The wire is kept elsewhere: it is long, and closed by default.
      return record;
  }
}

const streamKind = (event: string) =>
  event === 'failed' || event === 'throttled' ? 'error' : 'stream';

function streamText(message: Extract<CallEvent, { type: 'stream' }>): string {
  const { event, region, error } = message;
  const what = `stream ${event.replace(/_/g, ' ')}, ${region}`;
  return error ? `${what}: ${error}` : what;
}
