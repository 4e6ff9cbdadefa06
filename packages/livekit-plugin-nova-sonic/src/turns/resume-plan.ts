// SPDX-License-Identifier: Apache-2.0

import type { HistoryEntry, ToolCallEntry, ToolResultEntry } from '../history/entries.js';
import type { DueAnswer, Subject } from './answers.js';
import type { ResponseRecord, ResumePlan } from './effects.js';

/** A reply that was cut off together with its stream. */
export type CutReply = Pick<ResponseRecord, 'messageId' | 'interrupted' | 'audioMs'>;

/** A text that asks again, and what for. */
export interface LostQuestion {
  readonly prompt: string;
  readonly asks: Subject;
}

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
): Pick<ResumePlan, 'history' | 'prompt' | 'asks'> {
  const results = unanswered(history, due).filter(({ callId }) => !told.has(callId));
  const said = saidBy(history, due);
  const unfinished = unfinishedReply(cut, due);
  if (unfinished !== undefined) return ask(history, results, said, unfinished);
  if (cut?.audioMs !== 0 && !awaiting) return { history };
  const { question, returned } = lastQuestion(history);
  // The model may have answered something else since it got what is due.
  question.unshift(...said.filter((entry) => !question.includes(entry)));
  if (results.length === 0 && returned && !told.has(returned.callId)) results.push(returned);
  return ask(history, results, question);
}

/** Asks for what is due, and for nothing else that was said. */
export function askDue(
  history: readonly HistoryEntry[],
  due: readonly DueAnswer[],
): LostQuestion | undefined {
  const unfinished = unfinishedReply(undefined, due);
  const { prompt, asks } = ask(history, unanswered(history, due), saidBy(history, due), unfinished);
  return prompt !== undefined && asks ? { prompt, asks } : undefined;
}

/** Asks for the rest of a reply, for answers to results, and for answers to what was said, which leaves the history. */
function ask(
  history: readonly HistoryEntry[],
  results: readonly ToolResultEntry[],
  said: readonly Words[],
  cut?: string,
): Pick<ResumePlan, 'history' | 'prompt' | 'asks'> {
  const texts = [
    ...(cut === undefined ? [] : [askToFinish(history, cut)]),
    ...results.map((result) => askFor(history, result)),
    ...said.map(({ text }) => text),
  ];
  if (texts.length === 0) return { history };
  const asks = {
    callIds: results.map(({ callId }) => callId),
    said: said.map(({ id }) => id),
    cut,
  };
  return { history: without(history, said), prompt: texts.join('\n'), asks };
}

/** The reply whose rest is owed: it was cut now, or before and has not been continued. */
function unfinishedReply(cut: CutReply | undefined, due: readonly DueAnswer[]): string | undefined {
  if (cut && cut.audioMs > 0) return cut.interrupted ? undefined : cut.messageId;
  return due.findLast((answer) => answer.cut !== undefined)?.cut;
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

const isWords = (entry: HistoryEntry): entry is Words =>
  (entry.kind === 'user' || entry.kind === 'instruction') && !!entry.text.trim();

const without = (history: readonly HistoryEntry[], out: readonly HistoryEntry[]): HistoryEntry[] =>
  history.filter((entry) => !out.includes(entry));

/** What was asked after the model's last words, up to what a tool returned or still runs for. */
function lastQuestion(history: readonly HistoryEntry[]) {
  const question: Words[] = [];
  for (const entry of history.toReversed()) {
    if (entry.kind === 'tool_result') return { question, returned: entry };
    if (entry.kind === 'assistant' || (entry.kind === 'tool_call' && !resultOf(history, entry)))
      break;
    if (isWords(entry)) question.unshift(entry);
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
  return history.filter((e): e is Words => isWords(e) && ids.has(e.id));
}

const resultOf = (history: readonly HistoryEntry[], { callId }: ToolCallEntry) =>
  history.find((e) => e.kind === 'tool_result' && e.callId === callId);

/** Asks for the rest of a reply. */
function askToFinish(history: readonly HistoryEntry[], id: string): string {
  const reply = history.find((e) => e.id === id);
  const words = reply?.kind === 'assistant' ? reply.text : '';
  return `[The connection broke while you were answering. You had planned to say: "${words}". Finish that answer briefly.]`;
}

/** Asks for the answer to a tool's result, which need not be the one to the last question. */
function askFor(history: readonly HistoryEntry[], { callId, name }: ToolResultEntry): string {
  const call = history.find((e) => e.kind === 'tool_call' && e.callId === callId);
  const args = call?.kind === 'tool_call' ? call.args.slice(0, MAX_ARGS) : '';
  return `[The connection broke before you could answer. The tool ${name} has returned for ${args}: answer the question that it was called for.]`;
}
