// SPDX-License-Identifier: Apache-2.0
import type { ConversationState } from './conversation-state.js';
import type { ResumePlan } from './effects.js';
import { type CutReply, planResume } from './resume-plan.js';
import type { ResumeCause } from './user-turn.js';

/** Closes what is open on the stream that is left, and plans what the next stream must know. */
export function leaveStream(
  state: ConversationState,
  now: number,
  cause: ResumeCause,
  from: number,
): ResumePlan {
  const { user, requests, pending } = state;
  const cut = state.closeGeneration('lost', now);
  state.blocks.clear();
  state.discarded.end();
  state.textUnanswered = false;
  const { audioFrom, untranscribed } = user.replayFrom(now, cause, pending.pending(now), from);
  if (untranscribed) pending.speechReplayed(now, !user.speaking);
  user.finish();
  // A question that was withdrawn is not asked again.
  if (requests.withdrawn && !pending.answerComes(now)) pending.responseStarted(now);
  requests.restart();
  return { ...plan(state, now, cut), audioFrom };
}

function plan(
  state: ConversationState,
  now: number,
  cut: CutReply | undefined,
): Pick<ResumePlan, 'history' | 'prompt'> {
  const { user, pending, requests, history } = state;
  // A caller who still speaks is answered afterwards; the result of a pending tool and requests are sent anyway.
  if (user.speaking || pending.pendingTools.size > 0 || requests.waiting)
    return { history: state.snapshot() };
  // Nothing was played of a reply without audio: it is generated again.
  if (cut?.audioMs === 0) history.remove(cut.messageId);
  return planResume(state.snapshot(), cut, pending.pending(now));
}
