// SPDX-License-Identifier: Apache-2.0
/** Which replies are to come, as events of the service and texts of ours change it. */
import type { ConversationState } from './conversation-state.js';

/** The text of a request was sent on the current stream. */
export function requestSent(state: ConversationState, id: string, now: number): void {
  const { requests, pending, user } = state;
  // The words of speech come after its end, so they may be answered first and arrive later.
  if (!state.speechCounted && user.textDue(now)) {
    requests.owesAnswer('speech', now, { said: user.itemIds });
    state.speechCounted = true;
  }
  requests.sent(id, now);
  state.falseInterruption.over();
  pending.requestedByText(now);
  state.textUnanswered = true;
}

/** A tool returned. Not `sent`, its result follows as a text. Returns false when the call is not pending. */
export function toolAnswered(
  state: ConversationState,
  callId: string,
  now: number,
  sent: boolean,
): boolean {
  const { pending, requests, discarded } = state;
  const turn = pending.toolAnswered(callId, now);
  if (turn === undefined) return false;
  discarded.resultSent();
  if (sent && !pending.sameTurnPending(turn))
    requests.owesAnswer('tool', now, { callIds: [callId] });
  state.version += 1;
  return true;
}

/** The service has understood what the caller said. */
export function understood(state: ConversationState, now: number): void {
  const { requests, user } = state;
  state.falseInterruption.understood();
  state.wordsDueUntil = undefined;
  // Where the service reports speech, what came after its beginning is answered by itself.
  if (!user.reportsSpeech) requests.callerSpoke(now);
  // What was sent after the sample at which the service noticed that the speech was over came to it later.
  const since = Math.min(now, state.speechOverAt ?? now);
  if (!state.speechCounted) requests.owesAnswer('speech', since, { said: user.itemIds });
  state.speechCounted = false;
}

/** Settles requests that an earlier reply must have answered, too: the service has been silent since. */
export function settleAnswered(state: ConversationState, now: number): void {
  const { agent, user, discarded, pending, requests } = state;
  if (agent.open || user.speaking || discarded.arriving || pending.pendingTools.size > 0) return;
  const since = Math.max(agent.closedAt, pending.askedAt ?? 0);
  for (const id of requests.silentSince(since, now)) state.emit({ type: 'request_answered', id });
}
