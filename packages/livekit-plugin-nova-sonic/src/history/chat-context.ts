// SPDX-License-Identifier: Apache-2.0
/** The history as LiveKit's ChatContext, and what an edited ChatContext means for the history. */
import { llm } from '@livekit/agents';
import type {
  AssistantEntry,
  HistoryEntry,
  SystemEntry,
  ToolResultEntry,
  UserEntry,
} from './entries.js';

/** The words of a message: its text, and the transcripts of recordings in it. */
function textOf(message: llm.ChatMessage): string {
  const transcripts = message.content.flatMap((content) =>
    isRecording(content) ? [content.transcript] : [],
  );
  return [message.textContent, ...transcripts].filter(Boolean).join('\n').trim();
}

const isRecording = (content: llm.ChatContent): content is llm.AudioContent =>
  typeof content !== 'string' && content.type === 'audio_content';

/** LiveKit's chat context as entries; empty messages, handoffs and configuration are no part of a history. */
export function fromChatContext(chatCtx: llm.ChatContext): HistoryEntry[] {
  const entries: HistoryEntry[] = [];
  for (const item of chatCtx.items) {
    const base = { id: item.id, at: item.createdAt };
    if (item.type === 'message') {
      const text = textOf(item);
      if (!text) continue;
      if (item.role === 'user') entries.push({ ...base, kind: 'user', text });
      else if (item.role === 'assistant') {
        entries.push({ ...base, kind: 'assistant', text, interrupted: item.interrupted });
      } else entries.push({ ...base, kind: 'system', role: item.role, text });
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

/** What a context holds that Sonic cannot take, in words; the text beside it is taken. */
export function unsupportedContent(chatCtx: llm.ChatContext): string[] {
  const found = new Set<string>();
  for (const item of chatCtx.items) {
    if (item.type !== 'message') continue;
    for (const content of item.content) {
      if (isRecording(content)) {
        if (!content.transcript?.trim()) found.add('recordings without a transcript');
      } else if (typeof content !== 'string' && content.type === 'image_content')
        found.add('images');
    }
  }
  return [...found];
}

/** The entries as LiveKit's chat context, with the ids that the framework was given. */
export function toChatContext(entries: readonly HistoryEntry[]): llm.ChatContext {
  const items: llm.ChatItem[] = [];
  for (const entry of entries) {
    const base = { id: entry.id, createdAt: entry.at };
    if (entry.kind === 'user' || entry.kind === 'assistant' || entry.kind === 'system') {
      if (!entry.text.trim()) continue;
      items.push(
        llm.ChatMessage.create({
          ...base,
          role: entry.kind === 'system' ? entry.role : entry.kind,
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

/** What an edited context changes in the history. */
export interface ChatContextDiff {
  /** The history after the edits. */
  readonly entries: HistoryEntry[];
  /** The past differs from what the model got. */
  readonly changed: boolean;
  /** New messages of the user or the application at the very end: input, if a reply is requested. */
  readonly typed: Array<UserEntry | SystemEntry>;
  /** Results that the model waits for. */
  readonly results: ToolResultEntry[];
}

/**
 * Compares a context from the application with the history, by ids. What the framework cannot know yet (the reply that
 * is being spoken) stays; a text counts as edited only when it is neither what was planned nor what was spoken.
 */
export function diffChatContext(
  history: readonly HistoryEntry[],
  context: llm.ChatContext,
  awaited: (callId: string) => boolean,
): ChatContextDiff {
  const known = new Map(history.map((entry) => [entry.id, entry]));
  const answered = new Set(history.flatMap((e) => (e.kind === 'tool_result' ? [e.callId] : [])));
  // A result of a call that was answered already adds nothing.
  const incoming = fromChatContext(context).filter(
    (e) => e.kind !== 'tool_result' || known.has(e.id) || !answered.has(e.callId),
  );
  const results = incoming.filter(
    (e): e is ToolResultEntry => e.kind === 'tool_result' && !known.has(e.id) && awaited(e.callId),
  );
  const typed: ChatContextDiff['typed'] = [];
  for (let i = incoming.length - 1; i >= 0; i -= 1) {
    const entry = incoming[i];
    if ((entry?.kind !== 'user' && entry?.kind !== 'system') || known.has(entry.id)) break;
    typed.unshift(entry);
  }
  const added = new Set<HistoryEntry>([...results, ...typed]);
  const kept = incoming.filter((entry) => !added.has(entry));
  const contextIds = new Set(kept.map((entry) => entry.id));

  let lastShared = -1;
  history.forEach((entry, i) => {
    if (contextIds.has(entry.id)) lastShared = i;
  });
  let changed = false;
  const entries: HistoryEntry[] = kept.map((entry) => {
    const own = known.get(entry.id);
    if (!own) {
      changed = true;
      return entry;
    }
    if (own.kind === 'system' && entry.kind === 'system' && own.text !== entry.text) {
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
  // Entries that the context lacks: instructions are never in a context, and the newest may not have reached it yet. They
  // stay behind what they followed, also when that was edited or removed.
  const emptied = kept.length === 0;
  let next = 0;
  history.forEach((entry, i) => {
    if (contextIds.has(entry.id)) {
      next = entries.findIndex(({ id }) => id === entry.id) + 1;
      return;
    }
    const hidden =
      entry.kind === 'instruction' ||
      ((entry.kind === 'user' || entry.kind === 'assistant') && !entry.text.trim());
    if (!emptied && (i > lastShared || hidden)) {
      entries.splice(next, 0, entry);
      next += 1;
    } else if (!hidden) changed = true;
  });
  return { entries, changed, typed, results };
}

function isEdited(own: UserEntry | AssistantEntry, theirs: string): boolean {
  const flat = (text: string) => text.replace(/\s+/g, ' ').trim();
  const a = flat(own.text);
  const b = flat(theirs);
  if (a === b) return false;
  if (own.kind === 'user') return true;
  const planned = flat((own.drafts ?? []).join(' '));
  return !(planned.startsWith(b) || a.startsWith(b));
}
