// SPDX-License-Identifier: Apache-2.0
// Long because every event and command of one state machine is here; what they mean is decided in the files beside it.
/**
 * What goes on in the call, as a pure state machine: events of the service and commands of the session go in, effects
 * come out. It holds no socket, no timer and no LiveKit object; the time is passed in.
 *
 * Based on captures of the live service: one completion spans the whole session, so turns end at the AUDIO contentEnd
 * END_TURN; FINAL text comes seconds late or never; a barge-in shows as `userSpeechStart`, as a JSON text
 * `{"interrupted":true}` or as stopReason INTERRUPTED, in any order and number.
 */

import type { ConversationHistory } from '../history/conversation-history.js';
import type { HistoryEntry } from '../history/entries.js';
import type { ServerEvent, TokenUsage } from '../protocol/server-events.js';
import type { Subject } from './answers.js';
import { type ConversationOptions, ConversationState } from './conversation-state.js';
import type { Effect, EventTiming, ResumePlan } from './effects.js';
import { requestSent, settleAnswered, toolAnswered, understood } from './expected-replies.js';
import {
  bargeIn,
  discardAbandonedReply,
  discardsBlock,
  discardsText,
  stopReply,
} from './interruption.js';
import { askLost, leaveStream } from './resume.js';
import { endWithQuestion, type LostQuestion } from './resume-plan.js';
import { type ResumeCause, sampleTime, sentTime, TEXT_LAG_MS } from './user-turn.js';

/** Calls for one question come one after the other; those for the next one after the model has thought about it (ms). */
const CALLS_TOGETHER_MS = 200;

export class Conversation {
  readonly #state: ConversationState;

  constructor(options: ConversationOptions) {
    this.#state = new ConversationState(options);
  }

  get history(): ConversationHistory {
    return this.#state.history;
  }

  /** Counts what a model on another stream would have to know: unchanged means that nothing happened. */
  get version(): number {
    return this.#state.version;
  }

  /** Tools that the model called and that have no result yet, by the id of the call. */
  get pendingTools(): ReadonlyMap<string, { name: string; since: number }> {
    return this.#state.pending.pendingTools;
  }

  get userSpeaking(): boolean {
    return this.#state.user.speaking;
  }

  /** The service has reported the beginning of speech in this call. */
  get serviceReportsSpeech(): boolean {
    return this.#state.user.reportsSpeech;
  }

  /** The caller's audio up to here was heard by the service (ms since the epoch). */
  get heardUntil(): number {
    return this.#state.user.heardUntil;
  }

  /** Speech that the service reported, whose end or words it has not reported, unless its audio was replayed already. */
  unfinishedSpeech(now: number): { readonly from: number; readonly to?: number } | undefined {
    const { user } = this.#state;
    return user.speaking || this.awaitingAnswer(now) ? user.unfinished : undefined;
  }

  /** The service stopped a reply, as it took noise for the caller's voice: the model is to be asked for the rest. */
  falselyInterrupted(now: number): boolean {
    const { user, agent, requests, falseInterruption } = this.#state;
    if (agent.open || requests.waiting || this.pendingTools.size > 0) return false;
    return falseInterruption.due(user.wordlessSince, now);
  }

  /** A reply has begun and not ended. */
  get replying(): boolean {
    return this.#state.agent.open !== undefined;
  }

  /** The model owes an answer. */
  awaitingAnswer(now: number): boolean {
    return this.#state.pending.pending(now);
  }

  /** The model may be about to answer; speech that stays without words counts for a short while only. */
  answerImminent(now: number): boolean {
    return this.#state.pending.imminent(now);
  }

  /** Since when the model owes an answer to something that it certainly got: speech, text or a tool's result. */
  get pendingSince(): number | undefined {
    return this.#state.pending.pendingSince;
  }

  /** Nobody speaks, nothing is pending, nothing plays: the stream can be replaced without anybody noticing. */
  quiet(now: number): boolean {
    const { user, agent, requests } = this.#state;
    return (
      !user.speaking &&
      agent.silent(now) &&
      !this.answerImminent(now) &&
      this.pendingTools.size === 0 &&
      !requests.waiting &&
      requests.dueTo(now).length === 0
    );
  }

  /** The history without the requested replies whose text is still to be sent. */
  snapshot(): HistoryEntry[] {
    return this.#state.snapshot();
  }

  /** The same for a stream that takes over without being asked anything: what has no answer is the last that it knows. */
  openEnded(now: number, told: ReadonlySet<string>): HistoryEntry[] {
    return endWithQuestion(this.snapshot(), this.#state.requests.dueTo(now), told);
  }

  // -- commands of the session -------------------------------------------------------------------------------------

  /** What had no answer when its stream was lost was asked again by a text. */
  askedAgain(now: number, asks: Subject): void {
    this.#state.pending.requested(now);
    this.#state.requests.askedAgain(now, asks);
    this.#state.textUnanswered = true;
  }

  /** The results of calls were sent as text. */
  resultsTold(now: number, callIds: readonly string[]): void {
    this.#state.pending.requested(now);
    this.#state.requests.owesAnswer('text', now, { callIds });
    this.#state.textUnanswered = true;
  }

  /** The model was asked for the rest of a reply. It need not answer, as nobody asked anything. */
  resumeRequested(now: number): void {
    this.#state.falseInterruption.resumed();
    this.#state.requests.owesAnswer('text', now);
    this.#state.textUnanswered = true;
  }

  /** What has no answer since its stream was lost, and is to be asked now. */
  lostQuestion(now: number): LostQuestion | undefined {
    return askLost(this.#state, now);
  }

  /** What was lost is not asked again: the service refuses it. */
  forgetLost(): void {
    this.#state.requests.forgetLost();
  }

  /** The application adds a message; a stream that is opened from now on has it in its history. */
  added(entry: HistoryEntry): void {
    this.#state.version += 1;
    this.history.add(entry);
  }

  /** A reply is requested by text. */
  request(id: string, text: string, entry?: HistoryEntry): void {
    this.#state.version += 1;
    this.#state.requests.add(id, text);
    if (entry) this.history.add(entry);
  }

  /** The text of a request was sent on the current stream. */
  requestSent(id: string, now: number): void {
    requestSent(this.#state, id, now);
  }

  /** The request is abandoned; with `drop` its reply must not be played either. */
  cancelRequest(id: string, drop: boolean): void {
    const { requests, speechSentAt = Number.POSITIVE_INFINITY } = this.#state;
    // Whoever speaks may have spoken before, as to a stream that hears it again, or have coughed: the text stands.
    if (drop && this.userSpeaking && requests.release(id, speechSentAt)) return;
    requests.cancel(id, drop);
  }

  /** Requests whose text the current stream does not have. */
  get unsentRequests(): ReadonlyArray<{ readonly id: string; readonly text: string }> {
    return this.#state.requests.unsent;
  }

  /** A tool runs that was called in an earlier session. */
  toolAdopted(callId: string, name: string, since: number): void {
    this.#state.pending.toolAdopted(callId, name, since, CALLS_TOGETHER_MS);
  }

  /** The question that a pending tool was called for: those for the same one share it. */
  toolTurn(callId: string): number | undefined {
    return this.#state.pending.turnOf(callId);
  }

  /** Tools that were called for a question have no result yet. */
  toolTurnPending(turn: number): boolean {
    return this.#state.pending.sameTurnPending(turn);
  }

  /** A tool returned; `sent` to the stream that called it. Returns false when the call is not pending. */
  toolAnswered(callId: string, now: number, sent = true): boolean {
    return toolAnswered(this.#state, callId, now, sent);
  }

  /** The application stops the reply: the rest of it is discarded, the next one is played. */
  interrupt(now: number): Effect[] {
    stopReply(this.#state, now);
    return this.#state.takeEffects();
  }

  /** Closes a reply that stalled, and gives up questions and speech of which nothing, and no voice, is heard any more. */
  tick(now: number, lastVoiceAt = 0): Effect[] {
    const { agent, pending, user, discarded } = this.#state;
    discarded.tick(now);
    if (agent.stalled(now)) this.#state.closeGeneration('stalled', now);
    pending.tick(now);
    user.tick(now, lastVoiceAt);
    if (now > (this.#state.wordsDueUntil ?? now)) this.#state.noWords();
    settleAnswered(this.#state, now);
    return this.#state.takeEffects();
  }

  /**
   * The stream failed or is about to be replaced: closes what is open and returns what the next stream must know.
   * Nothing that was said is lost: text that was transcribed but not answered becomes the `prompt`, speech that was not
   * transcribed is in the audio from `audioFrom` on. `planned` is at a quiet moment, so that little can be missed;
   * `silence` is a service that made nothing of what it got. `from`: speech since then was not heard. `told`: the calls whose
   * results the next stream gets anyway.
   */
  resume(
    now: number,
    cause: ResumeCause = 'failure',
    from = now,
    told: ReadonlySet<string> = new Set(),
  ) {
    const plan: ResumePlan = leaveStream(this.#state, now, cause, from, told);
    return { effects: this.#state.takeEffects(), plan };
  }

  /** The call ends: closes what is open. `leftover` are tokens that no reply accounts for. */
  end(now: number): { effects: Effect[]; leftover: TokenUsage } {
    this.#state.user.finish();
    this.#state.closeGeneration('closed', now);
    return { effects: this.#state.takeEffects(), leftover: this.#state.agent.takeTokens() };
  }

  // -- events of the service ---------------------------------------------------------------------------------------

  apply(event: ServerEvent, timing: EventTiming): Effect[] {
    const { now } = timing;
    switch (event.type) {
      case 'userSpeechStart':
        this.#speechStart(event.offsetMs, timing);
        break;
      case 'userSpeechEnd':
        this.#speechEnd(event, timing);
        break;
      case 'contentStart':
        this.#contentStart(event, now);
        break;
      case 'text':
        this.#text(event, timing);
        break;
      case 'audio':
        this.#audio(event, now);
        break;
      case 'toolUse':
        this.#toolUse(event, now);
        break;
      case 'contentEnd':
        this.#contentEnd(event, now);
        break;
      case 'usage':
        this.#state.agent.addUsage(event.delta);
        break;
      case 'completionEnd':
        this.#state.closeGeneration('closed', now);
        break;
      default:
        break;
    }
    return this.#state.takeEffects();
  }

  #speechStart(offsetMs: number | undefined, timing: EventTiming): void {
    bargeIn(this.#state, 'user_speech_start', timing.now);
    const at = sampleTime(offsetMs, timing);
    this.#state.user.speechStarted(at, timing.now);
    this.#state.speechSentAt = sentTime(offsetMs, timing);
    this.#state.requests.callerSpoke(this.#state.speechSentAt);
    this.#state.speechCounted = false;
    this.#state.wordsDueUntil = Number.POSITIVE_INFINITY;
    this.#state.speechOverAt = undefined;
  }

  #speechEnd(event: Extract<ServerEvent, { type: 'userSpeechEnd' }>, timing: EventTiming): void {
    const { user, pending, discarded } = this.#state;
    const at = sampleTime(event.offsetMs, timing);
    const detectedAt = event.detectedMs === undefined ? at : sampleTime(event.detectedMs, timing);
    // Speech that began before the reply was interrupted says nothing about what follows.
    if (user.speaking) discarded.end();
    pending.speechEnded(at, timing.now);
    this.#state.speechOverAt = sentTime(event.detectedMs, timing);
    this.#state.speechSentAt = undefined;
    if (this.#state.wordsDueUntil !== undefined)
      this.#state.wordsDueUntil = timing.now + TEXT_LAG_MS;
    this.#state.version += 1;
    user.speechEnded(at, Math.max(at, detectedAt), timing.now);
  }

  #contentStart(event: Extract<ServerEvent, { type: 'contentStart' }>, now: number): void {
    const { blocks, user, agent, discarded } = this.#state;
    if (event.kind !== 'TOOL') this.#state.lastToolCallAt = undefined;
    const block = blocks.start(event);
    if (event.role === 'USER' || event.kind === 'UNKNOWN') return;
    if (event.kind === 'TEXT' && event.stage === 'FINAL') return;
    if (event.kind === 'TOOL') {
      user.finish();
      return;
    }
    discarded.tick(now);
    if (discarded.arriving || discardAbandonedReply(this.#state, now)) {
      discarded.received(now);
      block.discarded = true;
      return;
    }
    const { open } = agent;
    if (event.kind === 'AUDIO') block.generation = open;
    user.finish();
    user.stop();
    if (open) open.lastActivity = now;
  }

  #text(event: Extract<ServerEvent, { type: 'text' }>, timing: EventTiming): void {
    const { blocks, discarded, agent, history } = this.#state;
    const { now } = timing;
    const block = blocks.get(event.contentId);
    const role = block && block.role !== 'UNKNOWN' ? block.role : event.role;
    if (event.interrupted && role !== 'USER') {
      discarded.end();
      bargeIn(this.#state, 'interrupted_text', now);
      return;
    }
    if (!event.content.trim()) return;
    if (role === 'USER') this.#userText(event.content, timing);
    else if (block?.stage === 'FINAL') {
      this.#state.version += 1;
      history.addFinal(event.content, now, () => this.#state.newId('item_'));
    } else if (role === 'ASSISTANT' && !discardsText(this.#state, block, now)) {
      const generation = this.#state.openGeneration(now);
      history.addSpeculative(generation.messageId, now, event.content);
      agent.text(generation, event.content);
    }
  }

  #userText(text: string, { now, lastVoiceAt }: EventTiming): void {
    const { discarded, user, pending } = this.#state;
    const late = user.awaitsLateText && (this.replying || (discarded.arriving && user.passed));
    if (!late) discarded.end();
    if (this.replying && !late) bargeIn(this.#state, 'user_text', now);
    user.text(text, now, late);
    pending.assumeSpeechEnd(lastVoiceAt);
    this.#state.version += 1;
    if (late) return;
    understood(this.#state, now);
    pending.requested(now);
    user.stop();
  }

  #audio(event: Extract<ServerEvent, { type: 'audio' }>, now: number): void {
    const { blocks, discarded, user, agent } = this.#state;
    const block = blocks.get(event.contentId);
    if (discarded.discardsAudio(block) || discardsBlock(this.#state, block, now)) {
      discarded.received(now);
      return;
    }
    const owner = block?.generation;
    // An interrupted reply is not played; one that was closed for a tool call continues in a new generation.
    if (owner && !owner.open && owner.interrupted) return;
    const generation = owner?.open ? owner : this.#state.openGeneration(now);
    if (block) block.generation = generation;
    if (generation.firstAudioAt === undefined) user.stop();
    agent.audio(generation, event.content, now);
  }

  #toolUse(event: Extract<ServerEvent, { type: 'toolUse' }>, now: number): void {
    const { user, pending, history, discarded, requests, agent } = this.#state;
    const { toolUseId: callId, name, args } = event;
    if (this.pendingTools.has(callId)) return;
    user.finish();
    user.stop();
    this.#state.noWords();
    this.#state.version += 1;
    // Calls that come together are for one question, and have one answer.
    const { lastToolCallAt = Number.NEGATIVE_INFINITY } = this.#state;
    const together = now - lastToolCallAt <= CALLS_TOGETHER_MS;
    this.#state.lastToolCallAt = now;
    if (!together && requests.anyDue) this.#state.toolTurn += 1;
    pending.toolCalled(callId, name, now, this.#state.toolTurn);
    // A call in a reply that is not to be played is answered all the same, and is no answer to a request.
    const answers =
      !together && !discarded.arriving && (agent.open !== undefined || !requests.takeAbandoned());
    const { id } = this.#state.openGeneration(now, answers);
    const itemId = this.#state.newId('item_');
    history.add({ kind: 'tool_call', id: itemId, at: now, callId, name, args });
    this.#state.emit({ type: 'tool_call', id, itemId, callId, name, args });
    // The framework delivers a tool's result only after all channels have ended: waiting for more would deadlock.
    this.#state.closeGeneration('tool_call', now);
  }

  #contentEnd(event: Extract<ServerEvent, { type: 'contentEnd' }>, now: number): void {
    const { blocks, discarded, agent } = this.#state;
    const block = blocks.get(event.contentId);
    if (event.stopReason === 'INTERRUPTED') {
      discarded.end();
      // The end of a reply that is over for us already is no sign about the one that follows it.
      if (block?.discarded) return;
      if (block?.generation && block.generation !== agent.audibleGeneration(now)) return;
      bargeIn(this.#state, 'stop_reason', now);
      return;
    }
    const kind = block?.kind ?? event.kind;
    if (kind !== 'AUDIO' || event.stopReason !== 'END_TURN') return;
    discarded.end();
    const owner = block ? block.generation : agent.open;
    if (owner?.open) this.#state.closeGeneration('end_turn', now);
    else if (block && !block.generation && !block.discarded)
      this.#state.closeGeneration('end_turn', now);
  }
}
