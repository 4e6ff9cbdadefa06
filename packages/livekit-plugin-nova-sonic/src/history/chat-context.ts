// SPDX-License-Identifier: Apache-2.0
/**
 * The history of a call, and its two other forms: LiveKit's ChatContext, and the messages that open a stream.
 * Limits of the service: the first message is the user's, at most 1 KB per textInput and 40 KB in all (Nova 2
 * user guide, sonic-chat-history; since 2026-06 the page says 50 KB and 200 KB: both are options).
 */
import { llm } from '@livekit/agents';
import type { WireMessage } from '../protocol/client-event-sequencer.js';

/** A history as it goes over the wire. */
export type WireHistory = readonly WireMessage[];

interface Base {
  readonly id: string;
  /** Milliseconds since the epoch at which it was begun. */
  at: number;
}

/** One thing that happened in a call. */
export type HistoryEntry =
  | (Base & { readonly kind: 'user'; text: string })
  | (Base & { readonly kind: 'assistant'; text: string; interrupted: boolean; drafts?: string[] })
  /** Words that were given to `generateReply`: the model sees them, the chat context does not. */
  | (Base & { readonly kind: 'instruction'; text: string })
  | (Base & { readonly kind: 'tool_call'; callId: string; name: string; args: string })
  | (Base & {
      readonly kind: 'tool_result';
      callId: string;
      name: string;
      output: string;
      isError: boolean;
    });

/** Limits for the history that opens a stream, in bytes of UTF-8. */
export interface HistoryLimits {
  /** All messages together; the newest are kept. */
  readonly maxBytes: number;
  /** One textInput; longer messages are split into several. */
  readonly maxTextBytes: number;
}

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

/** A tool's call and its result as words: the service takes neither in a history. */
export function toolNote(
  name: string,
  args: string,
  result?: { output: string; isError: boolean },
): string {
  const call = `[The tool ${name} was called with ${args || '{}'}`;
  if (!result) return `${call}; its result has not come yet.]`;
  return `${call} and ${result.isError ? 'failed with' : 'returned'} ${result.output || 'nothing'}.]`;
}

/** What stands for an entry in the history, if anything does. */
function asMessage(
  entry: HistoryEntry,
  results: ReadonlyMap<string, Extract<HistoryEntry, { kind: 'tool_result' }>>,
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
      // Told together with its call; alone only when the call itself is not there any more.
      if (calls.has(entry.callId)) return undefined;
      return { role: 'USER', text: toolNote(entry.name, '', entry) };
  }
}

/** Stands before an assistant's message that nobody asked for, since the first message must be the user's. */
const OPENING_NOTE = '[The call begins.]';

/**
 * The messages that open a stream: user first, neighbours of one role merged, the newest kept within the limits,
 * long ones split, tools told as text, empty ones left out.
 */
export function toWireMessages(entries: readonly HistoryEntry[], limits: HistoryLimits): WireMessage[] {
  const results = new Map<string, Extract<HistoryEntry, { kind: 'tool_result' }>>();
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

/** LiveKit's chat context as entries; empty messages, handoffs and configuration are no part of a history. */
export function fromChatContext(chatCtx: llm.ChatContext): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (const item of chatCtx.items) {
    const base = { id: item.id, at: item.createdAt };
    if (item.type === 'message') {
      const text = item.textContent?.trim();
      if (!text) continue;
      if (item.role === 'user') entries.push({ ...base, kind: 'user', text });
      else if (item.role === 'assistant') {
        entries.push({ ...base, kind: 'assistant', text, interrupted: item.interrupted });
      } else entries.push({ ...base, kind: 'instruction', text });
    } else if (item.type === 'function_call') {
      entries.push({
        ...base,
        kind: 'tool_call',
        callId: item.callId,
        name: item.name,
        args: item.args,
      });
    } else if (item.type === 'function_call_output') {
      entries.push({
        ...base,
        kind: 'tool_result',
        callId: item.callId,
        name: item.name,
        output: item.output,
        isError: item.isError,
      });
    }
  }
  return entries;
}

/** The entries as LiveKit's chat context, with the ids that the framework was given. */
export function toChatContext(entries: readonly HistoryEntry[]): llm.ChatContext {
  const items: llm.ChatItem[] = [];
  for (const entry of entries) {
    const base = { id: entry.id, createdAt: entry.at };
    if (entry.kind === 'user' || entry.kind === 'assistant') {
      if (!entry.text.trim()) continue;
      items.push(
        llm.ChatMessage.create({
          ...base,
          role: entry.kind,
          content: entry.text,
          interrupted: entry.kind === 'assistant' && entry.interrupted,
        }),
      );
    } else if (entry.kind === 'tool_call') {
      const { callId, name, args } = entry;
      items.push(llm.FunctionCall.create({ ...base, callId, name, args }));
    } else if (entry.kind === 'tool_result') {
      const { callId, name, output, isError } = entry;
      items.push(llm.FunctionCallOutput.create({ ...base, callId, name, output, isError }));
    }
  }
  return new llm.ChatContext(items);
}

/** What an application's edited context means for ours. */
export interface ChatContextDiff {
  /** The history after the edits. */
  readonly entries: HistoryEntry[];
  /** Something in the past is another than the model was told. */
  readonly changed: boolean;
  /** User messages at the very end that we have never seen: typed input, if a reply is asked for. */
  readonly typed: Array<Extract<HistoryEntry, { kind: 'user' }>>;
  /** Results that the model waits for. */
  readonly results: Array<Extract<HistoryEntry, { kind: 'tool_result' }>>;
}

/**
 * Compares a context that an application handed over with our history, by ids. What the framework cannot know yet
 * (the reply that is being spoken) stays; a text is only taken as edited when it is neither what was planned nor
 * what was spoken.
 */
export function diffChatContext(
  ours: readonly HistoryEntry[],
  theirs: llm.ChatContext,
  awaited: (callId: string) => boolean,
): ChatContextDiff {
  const known = new Map(ours.map((entry) => [entry.id, entry]));
  const answered = new Set(ours.flatMap((e) => (e.kind === 'tool_result' ? [e.callId] : [])));
  // A result of a call that was answered by us already says nothing new.
  const incoming = fromChatContext(theirs).filter(
    (e) => e.kind !== 'tool_result' || known.has(e.id) || !answered.has(e.callId),
  );
  const results = incoming.filter(
    (e): e is Extract<HistoryEntry, { kind: 'tool_result' }> =>
      e.kind === 'tool_result' && !known.has(e.id) && awaited(e.callId),
  );
  const typed: ChatContextDiff['typed'] = [];
  for (let i = incoming.length - 1; i >= 0; i -= 1) {
    const entry = incoming[i];
    if (entry?.kind !== 'user' || known.has(entry.id)) break;
    typed.unshift(entry);
  }
  const fresh = new Set<HistoryEntry>([...results, ...typed]);
  const kept = incoming.filter((entry) => !fresh.has(entry));
  const theirIds = new Set(kept.map((entry) => entry.id));

  let lastShared = -1;
  ours.forEach((entry, i) => {
    if (theirIds.has(entry.id)) lastShared = i;
  });
  let changed = false;
  const entries: HistoryEntry[] = kept.map((entry) => {
    const own = known.get(entry.id);
    if (!own) {
      changed = true;
      return entry;
    }
    if ((own.kind === 'user' || own.kind === 'assistant') && own.kind === entry.kind) {
      if (isEdited(own, entry.text)) {
        changed = true;
        return entry;
      }
    }
    return own;
  });
  // Ours that they left out: instructions never show in a context, and the newest may not have reached it yet.
  ours.forEach((entry, i) => {
    if (theirIds.has(entry.id)) return;
    const emptied = kept.length === 0 && ours.length > 0;
    const hidden =
      entry.kind === 'instruction' ||
      ((entry.kind === 'user' || entry.kind === 'assistant') && !entry.text.trim());
    if ((!emptied && i > lastShared) || (hidden && !emptied)) {
      const before = ours[i - 1];
      const at = before ? entries.indexOf(before) : -1;
      entries.splice(at >= 0 || i === 0 ? at + 1 : entries.length, 0, entry);
    } else if (!hidden) changed = true;
  });
  return { entries, changed, typed, results };
}

function isEdited(
  own: Extract<HistoryEntry, { kind: 'user' | 'assistant' }>,
  theirs: string,
): boolean {
  const flat = (text: string) => text.replace(/\s+/g, ' ').trim();
  const a = flat(own.text);
  const b = flat(theirs);
  if (a === b) return false;
  if (own.kind === 'user') return true;
  const planned = flat((own.drafts ?? []).join(' '));
  return !(planned.startsWith(b) || a.startsWith(b) || b === planned);
}
