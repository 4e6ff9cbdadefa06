// SPDX-License-Identifier: Apache-2.0
import type { DueAnswer } from './answers.js';
import type { ConversationState } from './conversation-state.js';
import type { ResumePlan } from './effects.js';
import {
  askDue,
  type CutReply,
  endWithQuestion,
  type LostQuestion,
  planResume,
} from './resume-plan.js';
import type { ResumeCause } from './user-turn.js';

/** Closes what is open on the stream that is left, and plans what the next stream must know. */
export function leaveStream(
  state: ConversationState,
  now: number,
  cause: ResumeCause,
  from: number,
  told: ReadonlySet<string>,
): ResumePlan {
  const { user, requests, pending } = state;
  const cut = state.closeGeneration('lost', now);
  state.blocks.clear();
  state.discarded.end();
  state.falseInterruption.over();
  state.textUnanswered = false;
  state.speechCounted = false;
  state.wordsDueUntil = undefined;
  state.speechOverAt = undefined;
  state.speechSentAt = undefined;
  state.lastToolCallAt = undefined;
  const { audioFrom, untranscribed } = user.replayFrom(now, cause, pending.pending(now), from);
  if (untranscribed) pending.speechReplayed(now, !user.speaking);
  user.finish();
  if (cut?.audioMs === 0) requests.unheard(now);
  const due = requests.dueTo(now);
  const withdrawn = new Set(requests.withdrawn);
  if (withdrawn.size > 0 && due.length === 0 && !requests.waiting) pending.responseStarted(now);
  requests.restart();
  return { ...plan(state, now, cut, due, withdrawn, told), audioFrom };
}

/** What was to be answered with the caller's words when a stream was lost, and there were none: the text to ask it with. */
export function askLost(state: ConversationState, now: number): LostQuestion | undefined {
  const { user, agent, requests } = state;
  if (requests.lost.length === 0 || user.speaking || state.wordsDueUntil !== undefined)
    return undefined;
  // A text would end a reply that is heard.
  if (!agent.silent(now)) return undefined;
  const question = askDue(state.snapshot(), requests.lost);
  if (!question) requests.forgetLost();
  return question;
}

function plan(
  state: ConversationState,
  now: number,
  cut: CutReply | undefined,
  due: readonly DueAnswer[],
  withdrawn: ReadonlySet<string>,
  told: ReadonlySet<string>,
): Omit<ResumePlan, 'audioFrom'> {
  const { user, pending, requests, history } = state;
  // A caller who still speaks is answered afterwards; the result of a pending tool and requests are sent anyway.
  if (user.speaking || (pending.pendingTools.size > 0 && due.length === 0))
    return { history: endWithQuestion(state.snapshot(), due, told) };
  // Nothing was played of a reply without audio: it is generated again.
  if (cut?.audioMs === 0) history.remove(cut.messageId);
  // A question that was withdrawn is not asked again.
  const { unasked } = requests;
  const known = state.snapshot().filter(({ id }) => !withdrawn.has(id) && !unasked.includes(id));
  const awaiting = pending.pending(now) || due.length > 0;
  if (!requests.waiting) return planResume(known, cut, awaiting, due, told);
  // Of two texts at once one may stay without an answer: an open question is asked together with the new one.
  if (due.length === 0) return { history: known };
  // Who asks something new does not wait for the rest of a reply.
  const open = due.map((answer) => ({ ...answer, cut: undefined }));
  const { history: others, prompt } = planResume(known, undefined, true, open, told);
  if (prompt !== undefined) requests.repeat(prompt);
  else requests.forgetLost();
  return { history: others };
}
