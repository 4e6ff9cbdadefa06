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
 * besides the reply that was cut. Pure.
 */
export function planResume(
  history: readonly HistoryEntry[],
  cut: CutReply | undefined,
  awaiting: boolean,
  due: readonly DueAnswer[] = [],
): Pick<ResumePlan, 'history' | 'prompt'> {
  // Over a network the order in which the service got things is not certain: speech for which it has called a tool was
  // answered by that, so the answer that is due is to a result.
  const last = history.findLast((e) => e.kind === 'user');
  const called = last && history.slice(history.indexOf(last)).some((e) => e.kind === 'tool_call');
  const speech = due.some(({ to }) => to === 'speech');
  const results = unanswered(history, due, speech && called === true);
  const spoken = speech && !called ? last : undefined;
  if (cut && !cut.interrupted && cut.audioMs > 0) {
    const reply = history.find((e) => e.id === cut.messageId);
    const words = reply?.kind === 'assistant' ? reply.text : '';
    const finish = `[The connection broke while you were answering. You had planned to say: "${words}". Finish that answer briefly.]`;
    const more = [...results.map((r) => askFor(history, r)), ...(spoken ? [spoken.text] : [])];
    return { history: history.filter((e) => e !== spoken), prompt: [finish, ...more].join('\n') };
  }
  if (cut?.audioMs !== 0 && !awaiting) return { history };
  const { question, returned } = lastQuestion(history);
  // The model may have answered something else since.
  if (spoken && question.length === 0) question.push(spoken);
  if (results.length === 0 && returned) results.push(returned);
  const ask = [...results.map((r) => askFor(history, r)), ...question.map(({ text }) => text)];
  if (ask.length === 0) return { history };
  const moved = new Set<HistoryEntry>(question);
  return { history: history.filter((e) => !moved.has(e)), prompt: ask.join('\n') };
}

/** What was asked after the model's last words, up to what a tool returned or still runs for. */
function lastQuestion(history: readonly HistoryEntry[]) {
  const question: Array<HistoryEntry & { text: string }> = [];
  for (const entry of history.toReversed()) {
    if (entry.kind === 'tool_result') return { question, returned: entry };
    if (entry.kind === 'assistant' || (entry.kind === 'tool_call' && !resultOf(history, entry)))
      break;
    if ((entry.kind === 'user' || entry.kind === 'instruction') && entry.text.trim())
      question.unshift(entry);
  }
  return { question };
}

/** The results whose answers are owed, in their order; `oneMore`: also to the last one that is not said to be. */
function unanswered(
  history: readonly HistoryEntry[],
  due: readonly DueAnswer[],
  oneMore: boolean,
): ToolResultEntry[] {
  const results = history.filter((e) => e.kind === 'tool_result');
  const owed = new Set(due.map(({ callId }) => callId));
  const more = oneMore ? results.findLast(({ callId }) => !owed.has(callId)) : undefined;
  return results.filter((result) => owed.has(result.callId) || result === more);
}

const resultOf = (history: readonly HistoryEntry[], { callId }: ToolCallEntry) =>
  history.find((e) => e.kind === 'tool_result' && e.callId === callId);

/** Asks for the answer to a tool's result, which need not be the one to the last question. */
function askFor(history: readonly HistoryEntry[], { callId, name }: ToolResultEntry): string {
  const call = history.find((e) => e.kind === 'tool_call' && e.callId === callId);
  const args = call?.kind === 'tool_call' ? call.args.slice(0, MAX_ARGS) : '';
  return `[The connection broke before you could answer. The tool ${name} has returned for ${args}: answer the question that it was called for.]`;
}
