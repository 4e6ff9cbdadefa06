// SPDX-License-Identifier: Apache-2.0
/**
 * The history as the messages that open a stream. Limits of the service: the first message is the user's, at most 50 KB
 * per textInput and 200 KB in all (Nova 2 user guide, sonic-chat-history, since 2026-06-22; before, 1 KB and 40 KB).
 */
import type { HistoryLimits } from '../options.js';
import type { WireMessage } from '../protocol/client-event-sequencer.js';
import type { HistoryEntry, ToolResultEntry } from './entries.js';

const bytes = (text: string): number => Buffer.byteLength(text, 'utf8');

/** Splits a text into parts of at most `max` bytes, between words where it can, never inside a character. */
export function splitText(text: string, max: number): string[] {
  const parts: string[] = [];
  let rest = text;
  while (bytes(rest) > max) {
    let end = 0;
    let used = 0;
    let space = 0;
    for (const char of rest) {
      const size = bytes(char);
      if (used + size > max) break;
      used += size;
      end += char.length;
      if (char === ' ' || char === '\n') space = end;
    }
    if (end === 0) end = [...rest][0]?.length ?? rest.length;
    const cut = space > end / 2 ? space : end;
    parts.push(rest.slice(0, cut));
    rest = rest.slice(cut);
  }
  if (rest) parts.push(rest);
  return parts;
}

/** The beginning of a text, at most `max` bytes, cut between words where it can. */
export function headOf(text: string, max: number): string {
  if (bytes(text) <= max) return text;
  // A character has at least one byte: the rest of a long text need not be looked at.
  const [head] = splitText(text.slice(0, max), Math.max(4, max - bytes(CUT)));
  return `${(head as string).trimEnd()}${CUT}`;
}

/** The end of a text, at most `max` bytes, cut between words where it can. */
function tailOf(text: string, max: number): string {
  const room = max - bytes(CUT);
  if (room < 4) return '';
  const chars = [...text];
  let used = 0;
  let from = chars.length;
  while (from > 0) {
    const size = bytes(chars[from - 1] as string);
    if (used + size > room) break;
    used += size;
    from -= 1;
  }
  const space = chars.findIndex((char, i) => i >= from && /\s/.test(char));
  const cut = space >= 0 && space < (from + chars.length) / 2 ? space + 1 : from;
  return `${CUT.trim()} ${chars.slice(cut).join('')}`;
}

/** Stands where something was cut out. */
const CUT = ' […]';
/** A result longer than this is cut at its end (bytes). */
const MAX_RESULT_BYTES = 4_000;
/** The same for the arguments of a call. */
const MAX_ARGS_BYTES = 1_000;
/** What is always kept of them. */
const MIN_RESULT_BYTES = 200;
const MIN_ARGS_BYTES = 100;
/** The part of all bytes that the shortest form of what tools returned may take. */
const TOOLS_SHARE = 0.2;
/** The part of all bytes that one message of the assistant may take, and 1,000 at least. */
const ASSISTANT_SHARE = 0.25;

/** A tool's call and its result as text: the service takes neither in a history. */
export function toolNote(
  name: string,
  args: string,
  result?: { output: string; isError: boolean },
  max: { args: number; result: number } = { args: MAX_ARGS_BYTES, result: MAX_RESULT_BYTES },
): string {
  const call = `[The tool ${name} was called with ${headOf(args || '{}', max.args)}`;
  if (!result) return `${call}; its result has not come yet.]`;
  const output = result.output || 'nothing';
  const size = bytes(output);
  const told = headOf(output, max.result);
  const cut = told === output ? '' : ` (cut here; ${size} bytes in all)`;
  return `${call} and ${result.isError ? 'failed with' : 'returned'} ${told}${cut}.]`;
}

interface Message {
  readonly role: 'USER' | 'ASSISTANT';
  text: string;
  /** The same in full, for what a tool returned: taken where there is room. */
  readonly full?: string;
}

/** The message for an entry, if it has one. */
function asMessage(
  entry: HistoryEntry,
  results: ReadonlyMap<string, ToolResultEntry>,
  calls: ReadonlySet<string>,
): Message | undefined {
  const note = (name: string, args: string, result?: ToolResultEntry): Message => {
    const least = { args: MIN_ARGS_BYTES, result: MIN_RESULT_BYTES };
    return {
      role: 'USER',
      text: toolNote(name, args, result, least),
      full: toolNote(name, args, result),
    };
  };
  switch (entry.kind) {
    case 'user':
    case 'instruction':
      return { role: 'USER', text: entry.text.trim() };
    case 'assistant':
      return { role: 'ASSISTANT', text: entry.text.trim() };
    case 'tool_call':
      return note(entry.name, entry.args, results.get(entry.callId));
    case 'tool_result':
      // Part of its call's message; a message of its own only when the call is not in the history any more.
      return calls.has(entry.callId) ? undefined : note(entry.name, '', entry);
    case 'system':
      return undefined;
  }
}

/** Precedes an assistant's message that opens the call, since the first message must be the user's. */
const OPENING_NOTE = '[The call begins.]';
/** The same where the beginning of the call is left out. */
const SHORTENED_NOTE = '[The beginning of the call is left out.]';

/** The text of the system block: the instructions, and what the application added to them during the call. */
export function systemText(instructions: string, entries: readonly HistoryEntry[]): string {
  const added = entries.flatMap((entry) => (entry.kind === 'system' ? [entry.text.trim()] : []));
  return [instructions, ...added].filter((text) => text.trim()).join('\n\n');
}

/** Chooses from the newest to the oldest while the bytes last; the first that is too long is cut, and ends the choice. */
function newest(messages: readonly Message[], budget: number, cut: boolean): Set<Message> {
  const chosen = new Set<Message>();
  let left = budget;
  for (const message of messages.toReversed()) {
    const size = bytes(message.text) + 1;
    if (size > left) {
      const rest = cut ? tailOf(message.text, left - 1) : '';
      if (rest) {
        message.text = rest;
        chosen.add(message);
      }
      break;
    }
    chosen.add(message);
    left -= size;
  }
  return chosen;
}

const total = (messages: Iterable<Message>): number =>
  [...messages].reduce((sum, { text }) => sum + bytes(text) + 1, 0);

/**
 * The messages that open a stream: user first, neighbours of one role merged, long ones split, tools as text, empty
 * ones left out. Within the limits, what people said comes first, the newest of it; then what tools returned, of which
 * the name and the beginning of the call survive any result.
 */
export function toWireMessages(
  entries: readonly HistoryEntry[],
  limits: HistoryLimits,
): WireMessage[] {
  const results = new Map<string, ToolResultEntry>();
  const calls = new Set<string>();
  for (const entry of entries) {
    if (entry.kind === 'tool_result') results.set(entry.callId, entry);
    if (entry.kind === 'tool_call') calls.add(entry.callId);
  }
  const budget = limits.maxBytes - bytes(SHORTENED_NOTE) - 1;
  const messages = entries.flatMap((entry) => {
    const message = asMessage(entry, results, calls);
    if (!message?.text) return [];
    if (message.role === 'ASSISTANT')
      message.text = headOf(message.text, Math.max(1_000, Math.floor(budget * ASSISTANT_SHARE)));
    return [message];
  });
  const notes = newest(
    messages.filter((m) => m.full !== undefined),
    Math.floor(budget * TOOLS_SHARE),
    false,
  );
  const words = newest(
    messages.filter((m) => m.full === undefined),
    budget - total(notes),
    true,
  );
  let left = budget - total(notes) - total(words);
  for (const note of [...notes]) {
    const more = bytes(note.full as string) - bytes(note.text);
    if (more > left) continue;
    left -= more;
    note.text = note.full as string;
  }
  const kept = messages.filter((m) => notes.has(m) || words.has(m));
  if (kept[0]?.role === 'ASSISTANT') {
    const whole = kept.length === messages.length;
    kept.unshift({ role: 'USER', text: whole ? OPENING_NOTE : SHORTENED_NOTE });
  }
  const merged: Message[] = [];
  for (const { role, text } of kept) {
    const last = merged.at(-1);
    if (last?.role === role) last.text = `${last.text}\n${text}`;
    else merged.push({ role, text });
  }
  return merged.map(({ role, text }) => ({ role, parts: splitText(text, limits.maxTextBytes) }));
}
