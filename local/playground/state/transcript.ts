// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../agent/src/call/call-events.js';
import type { CallSide } from './call-side.js';

type EventOf<T extends CallEvent['type']> = Extract<CallEvent, { type: T }>;

/** What somebody said or typed. */
export interface TranscriptMessage {
  kind: 'message';
  id: string;
  who: CallSide;
  at: number;
  /** What was said, as far as known. */
  text: string;
  /** Words that were shown but never spoken, because the speaker was interrupted. */
  unspoken: string;
  interrupted: boolean;
  typed: boolean;
  /** The transcription of this message is complete. */
  done: boolean;
  /** The message is in the agent's chat context: its text will not change again. */
  final: boolean;
}

export interface TranscriptToolCall {
  kind: 'tool';
  id: string;
  at: number;
  name: string;
  args: string;
  /** Absent while the tool runs. */
  outcome?: { result: string; isError: boolean; ms: number };
}

export type TranscriptItem = TranscriptMessage | TranscriptToolCall;

const emptyMessage = {
  kind: 'message',
  unspoken: '',
  interrupted: false,
  typed: false,
} as const;

/** Prefix of the ids of messages for which no transcription has arrived yet. */
const FROM_CHAT_CONTEXT = 'message-';

interface TranscriptionSegment {
  who: CallSide;
  id: string;
  text: string;
  done: boolean;
  at: number;
}

/** A segment of LiveKit's transcription arrived or grew. */
export function updateTranscription(
  items: readonly TranscriptItem[],
  { who, id, text, done, at }: TranscriptionSegment,
): readonly TranscriptItem[] {
  const index = items.findIndex((item) => item.id === id);
  const known = items[index];
  if (known?.kind !== 'message') {
    if (!text.trim()) return items;
    // The message may enter the chat context before its transcription arrives.
    const earlier = items.findLastIndex(
      (item) =>
        item.kind === 'message' &&
        item.who === who &&
        item.id.startsWith(FROM_CHAT_CONTEXT) &&
        sameWords(item.text, text),
    );
    const item = items[earlier];
    if (item) return items.with(earlier, { ...item, id });
    return [...items, { ...emptyMessage, id, who, at, text, done, final: false }];
  }
  if (known.final) return items;
  return items.with(index, { ...known, text, done });
}

/** The user sent a text. */
export function addTyped(
  items: readonly TranscriptItem[],
  { id, text, at }: { id: string; text: string; at: number },
): readonly TranscriptItem[] {
  return [
    ...items,
    { ...emptyMessage, id, who: 'you', at, text, typed: true, done: true, final: false },
  ];
}

/** A message entered the chat context: finalizes the item that showed it, or adds it. */
export function finalizeMessage(
  items: readonly TranscriptItem[],
  event: EventOf<'message'>,
  at: number,
): readonly TranscriptItem[] {
  const who: CallSide = event.role === 'user' ? 'you' : 'agent';
  const open = items.filter(
    (item): item is TranscriptMessage => item.kind === 'message' && item.who === who && !item.final,
  );
  const message =
    open.find((item) => sameWords(item.text, event.text)) ??
    // An interrupted message may have no word in common with what was shown.
    (event.interrupted ? open[0] : undefined);
  if (!message) {
    if (!event.text.trim()) return items;
    const id = `${FROM_CHAT_CONTEXT}${items.length}-${event.at}`;
    const { text, interrupted } = event;
    return [...items, { ...emptyMessage, id, who, at, text, interrupted, done: true, final: true }];
  }
  return items.with(items.indexOf(message), {
    ...message,
    text: event.text,
    unspoken: event.interrupted ? wordsBeyond(message.text, event.text) : '',
    interrupted: event.interrupted,
    done: true,
    final: true,
  });
}

/** The model called a tool. */
export function addToolCall(
  items: readonly TranscriptItem[],
  { callId, name, args }: EventOf<'tool_started'>,
  at: number,
): readonly TranscriptItem[] {
  return [...items, { kind: 'tool', id: `tool-${callId}`, at, name, args }];
}

/** A tool has ended; its item keeps its place above what was said in the meantime. */
export function completeToolCall(
  items: readonly TranscriptItem[],
  { callId, name, args, result, isError, ms }: EventOf<'tool'>,
  at: number,
): readonly TranscriptItem[] {
  const id = `tool-${callId}`;
  const index = items.findIndex((item) => item.id === id);
  const started = items[index];
  const outcome = { result, isError, ms };
  if (started?.kind === 'tool') return items.with(index, { ...started, outcome });
  return [...items, { kind: 'tool', id, at: at - ms, name, args, outcome }];
}

const normalize = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');

/** Whether one text starts with the other, regardless of spaces, punctuation and case. */
function sameWords(one: string, other: string): boolean {
  const [a, b] = [normalize(one), normalize(other)];
  if (!a || !b) return a === b;
  return a.startsWith(b) || b.startsWith(a);
}

/** The words of `shown` after those of `spoken`; '' when `shown` does not start with them. */
function wordsBeyond(shown: string, spoken: string): string {
  const shownWords = shown.trim().split(/\s+/);
  const spokenWords = spoken.trim().split(/\s+/).filter(Boolean);
  const same = spokenWords.every((word, i) => normalize(word) === normalize(shownWords[i] ?? ''));
  return same ? shownWords.slice(spokenWords.length).join(' ') : '';
}
