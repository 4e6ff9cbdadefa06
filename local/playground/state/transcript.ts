// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../agent/src/call/call-events.js';
import type { Speaker } from './speaker.js';

/** What somebody said or typed. */
export interface Caption {
  kind: 'caption';
  id: string;
  who: Speaker;
  at: number;
  /** What was said, as far as is known. */
  text: string;
  /** What had been shown but was never spoken, since the speaker was interrupted. */
  unsaid: string;
  interrupted: boolean;
  typed: boolean;
  /** No more words will come by way of the transcription. */
  done: boolean;
  /** The agent's history has it: the text will not change again. */
  settled: boolean;
}

export interface ToolLine {
  kind: 'tool';
  id: string;
  at: number;
  name: string;
  args: string;
  /** What became of it; absent while it runs. */
  end?: { result: string; isError: boolean; ms: number };
}

export type Line = Caption | ToolLine;

const fresh = { kind: 'caption', unsaid: '', interrupted: false, typed: false } as const;

/** How the ids of captions begin that no transcription has brought, so far. */
const FROM_HISTORY = 'history-';

interface Words {
  who: Speaker;
  id: string;
  text: string;
  done: boolean;
  at: number;
}

/** Words came over the transcription. */
export function said(lines: readonly Line[], { who, id, text, done, at }: Words): readonly Line[] {
  const index = lines.findIndex((line) => line.id === id);
  const known = lines[index];
  if (known?.kind !== 'caption') {
    if (!text.trim()) return lines;
    // The history may come sooner than the words of which it tells.
    const told = lines.findLastIndex(
      (line) =>
        line.kind === 'caption' &&
        line.who === who &&
        line.id.startsWith(FROM_HISTORY) &&
        sameWords(line.text, text),
    );
    const line = lines[told];
    if (line) return lines.with(told, { ...line, id });
    return [...lines, { ...fresh, id, who, at, text, done, settled: false }];
  }
  // The history has the last word.
  if (known.settled) return lines;
  return lines.with(index, { ...known, text, done });
}

/** The user sent a text. */
export function typed(
  lines: readonly Line[],
  { id, text, at }: { id: string; text: string; at: number },
): readonly Line[] {
  return [
    ...lines,
    { ...fresh, id, who: 'you', at, text, typed: true, done: true, settled: false },
  ];
}

/** A message entered the history: it settles the caption that showed it, or is shown for the first time. */
export function settled(
  lines: readonly Line[],
  message: Extract<CallEvent, { type: 'message' }>,
  at: number,
): readonly Line[] {
  const who: Speaker = message.role === 'user' ? 'you' : 'agent';
  const open = lines.filter(
    (line): line is Caption => line.kind === 'caption' && line.who === who && !line.settled,
  );
  const caption =
    open.find((line) => sameWords(line.text, message.text)) ??
    // An interrupted message may have no word in common with what was shown.
    (message.interrupted ? open[0] : undefined);
  if (!caption) {
    if (!message.text.trim()) return lines;
    const id = `${FROM_HISTORY}${lines.length}-${message.at}`;
    const { text, interrupted } = message;
    return [...lines, { ...fresh, id, who, at, text, interrupted, done: true, settled: true }];
  }
  return lines.with(lines.indexOf(caption), {
    ...caption,
    text: message.text,
    unsaid: message.interrupted ? rest(caption.text, message.text) : '',
    interrupted: message.interrupted,
    done: true,
    settled: true,
  });
}

/** The model asks for a tool. */
export function toolStarted(
  lines: readonly Line[],
  { callId, name, args }: Extract<CallEvent, { type: 'tool_started' }>,
  at: number,
): readonly Line[] {
  return [...lines, { kind: 'tool', id: `tool-${callId}`, at, name, args }];
}

/** A tool has ended; what was said meanwhile stays below its call. */
export function toolEnded(
  lines: readonly Line[],
  { callId, ...call }: Extract<CallEvent, { type: 'tool' }>,
  at: number,
): readonly Line[] {
  const { name, args, result, isError, ms } = call;
  const id = `tool-${callId}`;
  const index = lines.findIndex((line) => line.id === id);
  const started = lines[index];
  const end = { result, isError, ms };
  if (started?.kind === 'tool') return lines.with(index, { ...started, end });
  return [...lines, { kind: 'tool', id, at: at - ms, name, args, end }];
}

const plain = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '');

/** Whether one text is the beginning of the other, whatever their spaces and points. */
function sameWords(one: string, other: string): boolean {
  const [a, b] = [plain(one), plain(other)];
  if (!a || !b) return a === b;
  return a.startsWith(b) || b.startsWith(a);
}

/** The words of `shown` that go beyond `spoken`. */
function rest(shown: string, spoken: string): string {
  const shownWords = shown.trim().split(/\s+/);
  const spokenWords = spoken.trim().split(/\s+/).filter(Boolean);
  const same = spokenWords.every((word, i) => plain(word) === plain(shownWords[i] ?? ''));
  return same ? shownWords.slice(spokenWords.length).join(' ') : '';
}
