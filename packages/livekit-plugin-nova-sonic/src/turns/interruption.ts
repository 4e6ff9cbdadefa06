// SPDX-License-Identifier: Apache-2.0
/** How a reply ends before its time: the caller speaks over it, or the application stops it. */
import type { BargeInSign } from '../session-events.js';
import type { ContentBlock } from './content-blocks.js';
import type { ConversationState } from './conversation-state.js';

/** A sign that the caller speaks over the agent. Signs may repeat; each reply is interrupted once, and at once. */
export function bargeIn(state: ConversationState, sign: BargeInSign, now: number): void {
  const { agent, user, history } = state;
  const reply = agent.audibleGeneration(now);
  if (!reply) return;
  const wasOpen = reply.open;
  // A text that we send over a reply ends it with the same signs as a caller who speaks up: nobody barged in.
  if (state.textUnanswered && sign !== 'user_speech_start' && sign !== 'user_text') {
    if (!wasOpen) return;
    reply.interrupted = true;
    state.closeGeneration('stopped', now);
    history.markInterrupted(reply.messageId, false);
    agent.stopPlayback(now);
    return;
  }
  if (sign !== 'user_text')
    state.falseInterruption.stopped(wasOpen ? Number.POSITIVE_INFINITY : agent.leftMs(now));
  reply.interrupted = true;
  state.closeGeneration('interrupted', now);
  history.markInterrupted(reply.messageId, false);
  state.version += 1;
  agent.stopPlayback(now);
  // After the service's own signal nothing of that reply follows; before it, more of it may still arrive.
  if (wasOpen && sign === 'user_speech_start') state.discarded.begin(now);
  state.emit({ type: 'barge_in', sign, at: now, id: reply.id });
  if (sign === 'user_text') return;
  if (user.speaking) state.emit({ type: 'speech_started' });
  else user.start(now, now);
}

/** The application stops the reply: the rest of it is discarded, the next one is played. */
export function stopReply(state: ConversationState, now: number): void {
  const { agent, history } = state;
  const reply = agent.silent(now) ? undefined : agent.audibleGeneration(now);
  if (reply) {
    if (reply.open) state.discarded.begin(now);
    state.closeGeneration('stopped', now);
    reply.interrupted = true;
    history.markInterrupted(reply.messageId, true);
  }
  agent.stopPlayback(now);
}

/** True when the reply that begins now was requested and then abandoned; it is discarded. */
export function discardAbandonedReply(state: ConversationState, now: number): boolean {
  const { agent, requests, discarded, pending } = state;
  if (agent.open) return false;
  state.noWords();
  if (!requests.takeAbandoned()) return false;
  discarded.begin(now);
  // This was the answer: the model owes no other, unless it got another text meanwhile.
  if (!requests.anyDue) {
    pending.responseStarted(now);
    state.textUnanswered = false;
  }
  return true;
}

/** True when the request of a reply was abandoned since its first block began, which is discarded then. */
export function discardsBlock(
  state: ConversationState,
  block: ContentBlock | undefined,
  now: number,
): boolean {
  if (block?.generation || !discardAbandonedReply(state, now)) return false;
  if (block) block.discarded = true;
  return true;
}

/** True for text that is not to be played. */
export function discardsText(
  state: ConversationState,
  block: ContentBlock | undefined,
  now: number,
): boolean {
  return state.discarded.discardsText(block) || discardsBlock(state, block, now);
}
