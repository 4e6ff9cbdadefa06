// SPDX-License-Identifier: Apache-2.0
/**
 * The history as the messages that open a stream. Limits of the service: the first message is the user's, at most 1 KB
 * per textInput and 40 KB in all (Nova 2 user guide, sonic-chat-history; since 2026-06 the page says 50 KB and 200 KB:
 * both are options).
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

/** The end of a text, at most `max` bytes, never inside a character. */
function tail(text: string, max: number): string {
  const chars = [...text];
  let used = 0;
  let from = chars.length;
  while (from > 0) {
    const size = bytes(chars[from - 1] as string);
    if (used + size > max) break;
    used += size;
    from -= 1;
  }
  return chars.slice(from).join('');
}

/** A tool's call and its result as text: the service takes neither in a history. */
export function toolNote(
  name: string,
  args: string,
  result?: { output: string; isError: boolean },
): string {
  const call = `[The tool ${name} was called with ${args || '{}'}`;
  if (!result) return `${call}; its result has not come yet.]`;
  return `${call} and ${result.isError ? 'failed with' : 'returned'} ${result.output || 'nothing'}.]`;
}

/** The message for an entry, if it has one. */
function asMessage(
  entry: HistoryEntry,
  results: ReadonlyMap<string, ToolResultEntry>,
  calls: ReadonlySet<string>,
): { role: 'USER' | 'ASSISTANT'; text: string } | undefined {
  switch (entry.kind) {
    case 'user':
    case 'instruction':
      return { role: 'USER', text: entry.text.trim() };
    case 'assistant':
      return { role: 'ASSISTANT', text: entry.text.trim() };
    case 'tool_call':
      return { role: 'USER', text: toolNote(entry.name, entry.args, results.get(entry.callId)) };
    case 'tool_result':
      // Part of its call's message; a message of its own only when the call is not in the history any more.
      if (calls.has(entry.callId)) return undefined;
      return { role: 'USER', text: toolNote(entry.name, '', entry) };
  }
}

/** Precedes an assistant's message that opens the call, since the first message must be the user's. */
const OPENING_NOTE = '[The call begins.]';

/**
 * The messages that open a stream: user first, neighbours of one role merged, the newest kept within the limits,
 * long ones split, tools as text, empty ones left out.
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
  const merged: Array<{ role: 'USER' | 'ASSISTANT'; text: string }> = [];
  for (const entry of entries) {
    const next = asMessage(entry, results, calls);
    if (!next?.text) continue;
    const last = merged.at(-1);
    if (last?.role === next.role) last.text = `${last.text}\n${next.text}`;
    else merged.push({ ...next });
  }
  if (merged[0]?.role === 'ASSISTANT') merged.unshift({ role: 'USER', text: OPENING_NOTE });

  const kept: typeof merged = [];
  let left = limits.maxBytes;
  for (const message of merged.reverse()) {
    const size = bytes(message.text);
    if (size <= left) {
      kept.unshift(message);
      left -= size;
      continue;
    }
    const text = tail(message.text, left);
    if (text.trim()) kept.unshift({ role: message.role, text });
    break;
  }
  while (kept[0]?.role === 'ASSISTANT') kept.shift();
  return kept.map(({ role, text }) => ({ role, parts: splitText(text, limits.maxTextBytes) }));
}
