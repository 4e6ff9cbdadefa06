// SPDX-License-Identifier: Apache-2.0

import type { HistoryEntry } from '../history/entries.js';
import type { ResponseRecord, ResumePlan } from './effects.js';

/** A reply that was cut off together with its stream. */
export type CutReply = Pick<ResponseRecord, 'messageId' | 'interrupted' | 'audioMs'>;

/**
 * Plans how a question that has no answer when its stream is lost is repeated: it moves from the history to the prompt.
 * A reply that was partly played is finished, not repeated. `awaiting`: the model owes an answer. Pure.
 */
export function planResume(
  history: readonly HistoryEntry[],
  cut: CutReply | undefined,
  awaiting: boolean,
): Pick<ResumePlan, 'history' | 'prompt'> {
  if (cut && !cut.interrupted && cut.audioMs > 0) {
    const reply = history.find((e) => e.id === cut.messageId);
    const words = reply?.kind === 'assistant' ? reply.text : '';
    return {
      history,
      prompt: `[The connection broke while you were answering. You had planned to say: "${words}". Finish that answer briefly.]`,
    };
  }
  if (cut?.audioMs !== 0 && !awaiting) return { history };
  const question: HistoryEntry[] = [];
  for (const entry of history.toReversed()) {
    if (entry.kind === 'assistant') break;
    if (entry.kind === 'user' || entry.kind === 'instruction') {
      if (entry.text.trim()) question.unshift(entry);
    } else if (entry.kind === 'tool_result') {
      return {
        history,
        prompt: '[The connection broke before you could answer. Answer the last question now.]',
      };
    }
  }
  if (question.length === 0) return { history };
  const ask = question.map((e) => ('text' in e ? e.text : '')).join('\n');
  return { history: history.filter((e) => !question.includes(e)), prompt: ask };
}
