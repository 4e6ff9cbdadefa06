// SPDX-License-Identifier: Apache-2.0

import type { HistoryEntry, ToolCallEntry, ToolResultEntry } from '../history/entries.js';
import type { ResponseRecord, ResumePlan } from './effects.js';
import type { DueAnswer } from './reply-requests.js';

/** A reply that was cut off together with its stream. */
export type CutReply = Pick<ResponseRecord, 'messageId' | 'interrupted' | 'audioMs'>;

/** Longest arguments of a tool that are repeated to name its call (characters). */
const MAX_ARGS = 500;

/**
 * Plans how a question that has no answer when its stream is lost is repeated: it moves from the history to the prompt.
 * A reply that was partly played is finished, not repeated. `awaiting`: the model owes an answer; `due`: to what,
 * besides the reply that was cut; `told`: the calls whose results follow as text, which are answered by themselves. Pure.
 */
export function planResume(
  history: readonly HistoryEntry[],
  cut: CutReply | undefined,
  awaiting: boolean,
  due: readonly DueAnswer[] = [],
  told: ReadonlySet<string> = new Set(),
): Pick<ResumePlan, 'history' | 'prompt'> {
  const results = unanswered(history, due).filter(({ callId }) => !told.has(callId));
  const said = saidBy(history, due);
  if (cut && !cut.interrupted && cut.audioMs > 0) {
    const reply = history.find((e) => e.id === cut.messageId);
    const words = reply?.kind === 'assistant' ? reply.text : '';
    const finish = `[The connection broke while you were answering. You had planned to say: "${words}". Finish that answer briefly.]`;
    const more = [...results.map((r) => askFor(history, r)), ...said.map(({ text }) => text)];
    return { history: without(history, said), prompt: [finish, ...more].join('\n') };
  }
  if (cut?.audioMs !== 0 && !awaiting) return { history };
  const { question, returned } = lastQuestion(history);
  // The model may have answered something else since it got what is due.
  question.unshift(...said.filter((entry) => !question.includes(entry)));
  if (results.length === 0 && returned && !told.has(returned.callId)) results.push(returned);
  const ask = [...results.map((r) => askFor(history, r)), ...question.map(({ text }) => text)];
  if (ask.length === 0) return { history };
  return { history: without(history, question), prompt: ask.join('\n') };
}

/** What has no answer is the last that a model knows which is to hear more: what the caller said, what tools returned. */
export function endWithQuestion(
  history: readonly HistoryEntry[],
  due: readonly DueAnswer[],
  told: ReadonlySet<string>,
): HistoryEntry[] {
  const returned = new Set(
    unanswered(history, due)
      .map(({ callId }) => callId)
      .filter((callId) => !told.has(callId)),
  );
  const said = saidBy(history, due);
  const open = history.filter((entry) =>
    'callId' in entry ? returned.has(entry.callId) : said.includes(entry as Words),
  );
  return [...without(history, open), ...open];
}

type Words = HistoryEntry & { text: string };

const without = (history: readonly HistoryEntry[], out: readonly HistoryEntry[]): HistoryEntry[] =>
  history.filter((entry) => !out.includes(entry));

/** What was asked after the model's last words, up to what a tool returned or still runs for. */
function lastQuestion(history: readonly HistoryEntry[]) {
  const question: Words[] = [];
  for (const entry of history.toReversed()) {
    if (entry.kind === 'tool_result') return { question, returned: entry };
    if (entry.kind === 'assistant' || (entry.kind === 'tool_call' && !resultOf(history, entry)))
      break;
    if ((entry.kind === 'user' || entry.kind === 'instruction') && entry.text.trim())
      question.unshift(entry);
  }
  return { question };
}

/** The results whose answers are owed, in their order. */
function unanswered(
  history: readonly HistoryEntry[],
  due: readonly DueAnswer[],
): ToolResultEntry[] {
  const owed = new Set(due.flatMap(({ callIds }) => callIds));
  return history.filter(
    (e): e is ToolResultEntry => e.kind === 'tool_result' && owed.has(e.callId),
  );
}

/** What the caller said and is owed an answer to, in its order. */
function saidBy(history: readonly HistoryEntry[], due: readonly DueAnswer[]): Words[] {
  const ids = new Set(due.flatMap(({ said }) => said));
  return history.filter((e): e is Words => e.kind === 'user' && ids.has(e.id) && !!e.text.trim());
}

const resultOf = (history: readonly HistoryEntry[], { callId }: ToolCallEntry) =>
  history.find((e) => e.kind === 'tool_result' && e.callId === callId);

/** Asks for the answer to a tool's result, which need not be the one to the last question. */
function askFor(history: readonly HistoryEntry[], { callId, name }: ToolResultEntry): string {
  const call = history.find((e) => e.kind === 'tool_call' && e.callId === callId);
  const args = call?.kind === 'tool_call' ? call.args.slice(0, MAX_ARGS) : '';
  return `[The connection broke before you could answer. The tool ${name} has returned for ${args}: answer the question that it was called for.]`;
}
