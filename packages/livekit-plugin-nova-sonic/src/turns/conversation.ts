// SPDX-License-Identifier: Apache-2.0
/**
 * What is going on in the call, as a pure state machine: events of the service and commands of ours go in, effects
 * come out. It holds no socket, no timer and no LiveKit object; the time is passed in.
 *
 * Facts it rests on (captures of the live service): one completion spans the whole session, so turns end at the
 * AUDIO contentEnd END_TURN; FINAL text comes seconds late or never; the caller speaking over the agent shows as
 * `userSpeechStart`, as a JSON text `{"interrupted":true}` or as stopReason INTERRUPTED, in any order and number.
 */

import { ConversationHistory } from '../history/conversation-history.js';
import type { HistoryEntry } from '../history/entries.js';
import type { ServerEvent, TokenUsage } from '../protocol/server-events.js';
import type { BargeInSign } from '../session-events.js';
import { AgentTurnTracker, type Generation } from './agent-turn.js';
import { ContentBlocks } from './content-blocks.js';
import type { CloseReason, Effect, EventTiming, ResumePlan } from './effects.js';
import { PendingResponse } from './pending-response.js';
import { ReplyRequestQueue } from './reply-requests.js';
import { type CutReply, planResume } from './resume-plan.js';
import { type ResumeCause, sampleTime, UserTurnTracker } from './user-turn.js';

export interface ConversationOptions {
  readonly newId: (prefix: string) => string;
  readonly outputSampleRate: number;
  /** A question that the model does not answer stops counting as open after this (ms). @default 12000 */
  readonly patienceMs?: number;
}

export class Conversation {
  readonly history = new ConversationHistory();
  readonly #newId: (prefix: string) => string;
  #effects: Effect[] = [];
  readonly #blocks = new ContentBlocks();
  readonly #agent: AgentTurnTracker;
  readonly #user: UserTurnTracker;
  readonly #requests = new ReplyRequestQueue();
  readonly #pending: PendingResponse;
  /** The rest of a reply that was cut is still arriving and goes to nobody. */
  #dropping = false;
  #version = 0;

  constructor(options: ConversationOptions) {
    this.#newId = options.newId;
    const patienceMs = options.patienceMs ?? 12_000;
    const emit = (effect: Effect) => this.#effects.push(effect);
    this.#agent = new AgentTurnTracker(options.newId, options.outputSampleRate, emit);
    this.#user = new UserTurnTracker(this.history, () => this.#newId('item_'), patienceMs, emit);
    this.#pending = new PendingResponse(patienceMs);
  }

  /** Counts what a model on another stream would have to know: unchanged means nothing happened. */
  get version(): number {
    return this.#version;
  }

  get pendingTools(): ReadonlyMap<string, { name: string; since: number }> {
    return this.#pending.pendingTools;
  }

  get userSpeaking(): boolean {
    return this.#user.speaking;
  }

  /** The model owes an answer. */
  awaitingAnswer(now: number): boolean {
    return this.#pending.pending(now);
  }

  /** Nobody speaks, nothing is owed, nothing plays: a stream may be exchanged without anyone noticing. */
  quiet(now: number): boolean {
    return (
      !this.#user.speaking &&
      this.#agent.silent(now) &&
      !this.awaitingAnswer(now) &&
      this.pendingTools.size === 0 &&
      !this.#requests.waiting
    );
  }

  /** Something of the service's arrived. */
  apply(event: ServerEvent, moment: EventTiming): Effect[] {
    const { now } = moment;
    switch (event.type) {
      case 'userSpeechStart':
        this.#speechStart(event.offsetMs, moment);
        break;
      case 'userSpeechEnd':
        this.#speechEnd(event, moment);
        break;
      case 'contentStart':
        this.#contentStart(event, now);
        break;
      case 'text':
        this.#text(event, moment);
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
        this.#agent.addUsage(event.delta);
        break;
      case 'completionEnd':
        this.#close('closed', now);
        break;
      default:
        break;
    }
    return this.#flush();
  }

  /** A reply has begun and not ended. */
  get replying(): boolean {
    return this.#agent.open !== undefined;
  }

  /** Since when the model owes an answer to something it surely got: speech, words, or a tool's result. */
  get pendingSince(): number | undefined {
    return this.#pending.pendingSince;
  }

  /** A question went out again on a new stream. */
  requested(now: number): void {
    this.#pending.requested(now);
  }

  /** A reply is asked for with words. */
  request(id: string, text: string, entry?: HistoryEntry): void {
    this.#version += 1;
    this.#requests.add(id, text);
    if (entry) this.history.add(entry);
  }

  /** The words of a request went out on the current stream. */
  requestSent(id: string, now: number): void {
    this.#requests.sent(id);
    this.#pending.requestedByText(now);
    this.#dropping = false;
  }

  /** Nobody waits for this reply any more; with `drop` it is not to be heard either. */
  cancelRequest(id: string, drop: boolean): void {
    // A caller who speaks up stops the model himself; stopped by the application it would still be spoken.
    this.#requests.cancel(id, drop && !this.#user.speaking);
  }

  /** Requests whose words the current stream has not been told. */
  get unsentRequests(): ReadonlyArray<{ readonly id: string; readonly text: string }> {
    return this.#requests.unsent;
  }

  /** A tool's answer goes to the model. False when nobody waits for it. */
  toolAnswered(callId: string, now: number): boolean {
    if (!this.#pending.toolAnswered(callId, now)) return false;
    this.#version += 1;
    return true;
  }

  /** The application stops the reply: the rest of it goes to nobody, the next one is heard. */
  interrupt(now: number): Effect[] {
    const heard = this.#agent.silent(now) ? undefined : this.#agent.audibleGeneration(now);
    if (heard) {
      if (heard.open) this.#dropping = true;
      this.#close('stopped', now);
      heard.interrupted = true;
      this.history.markInterrupted(heard.messageId, true);
    }
    this.#agent.stopPlayback(now);
    return this.#flush();
  }

  /** Closes a reply in which nothing arrives any more, and forgets questions that stay without an answer. */
  tick(now: number): Effect[] {
    if (this.#agent.stalled(now)) this.#close('stalled', now);
    this.#pending.tick(now);
    this.#user.tick(now);
    return this.#flush();
  }

  /**
   * The stream is gone or is about to be replaced: closes what is open and tells what the next stream must know.
   * Nothing that was said is lost: words that were understood but not answered are asked again, words that were
   * not understood are in the audio from `audioFrom` on. `planned` is at a quiet moment, so that little
   * can be missed; `silence` is a service that made nothing of what it got.
   */
  resume(now: number, cause: ResumeCause = 'failure'): { effects: Effect[]; plan: ResumePlan } {
    const cut = this.#close('lost', now);
    this.#blocks.clear();
    this.#dropping = false;
    const { audioFrom, unheard } = this.#user.replayFrom(now, cause, this.awaitingAnswer(now));
    if (unheard) this.#pending.speechReplayed(now, !this.#user.speaking);
    this.#user.finish();
    this.#requests.restart();
    const plan = { ...this.#planResume(now, cut), audioFrom };
    return { effects: this.#flush(), plan };
  }

  /** The call ends: what is open is closed, the last transcript is told. */
  end(now: number): { effects: Effect[]; leftover: TokenUsage } {
    this.#user.finish();
    this.#close('closed', now);
    return { effects: this.#flush(), leftover: this.#agent.takeTokens() };
  }

  /** The history without what is asked for in words that are still to be sent. */
  snapshot(): HistoryEntry[] {
    const unsent = new Set(this.#requests.unsent.map((r) => r.id));
    return this.history.entries.filter((entry) => !unsent.has(entry.id));
  }

  // -- what the service says ---------------------------------------------------------------------------------------

  #speechStart(offsetMs: number | undefined, moment: EventTiming): void {
    this.#bargeIn('user_speech_start', moment.now);
    this.#user.speechStarted(sampleTime(offsetMs, moment), moment.now);
    this.#requests.clearAbandoned();
  }

  #speechEnd(event: Extract<ServerEvent, { type: 'userSpeechEnd' }>, moment: EventTiming): void {
    const at = sampleTime(event.offsetMs, moment);
    const sureAt = event.detectedMs === undefined ? at : sampleTime(event.detectedMs, moment);
    this.#dropping = false;
    this.#pending.speechEnded(at, moment.now, !this.#user.retried);
    this.#version += 1;
    this.#user.speechEnded(at, Math.max(at, sureAt));
  }

  #contentStart(event: Extract<ServerEvent, { type: 'contentStart' }>, now: number): void {
    const content = this.#blocks.start(event);
    if (event.role === 'USER' || event.kind === 'UNKNOWN') return;
    if (event.kind === 'TEXT' && event.stage === 'FINAL') return;
    if (event.kind === 'TOOL') {
      this.#user.finish();
      return;
    }
    if (this.#dropping || this.#takeAbandoned()) {
      content.dropped = true;
      return;
    }
    const { open } = this.#agent;
    if (event.kind === 'AUDIO') content.generation = open;
    this.#user.finish();
    this.#user.stop();
    if (open) open.lastActivity = now;
  }

  #text(event: Extract<ServerEvent, { type: 'text' }>, moment: EventTiming): void {
    const { now } = moment;
    const content = this.#blocks.get(event.contentId);
    const role = content && content.role !== 'UNKNOWN' ? content.role : event.role;
    if (event.interrupted && role !== 'USER') {
      this.#dropping = false;
      this.#bargeIn('interrupted_text', now);
      return;
    }
    if (!event.content.trim()) return;
    if (role === 'USER') this.#userText(event.content, moment);
    else if (content?.stage === 'FINAL') {
      this.#version += 1;
      this.history.addFinal(event.content, now, () => this.#newId('item_'));
    } else if (role === 'ASSISTANT' && !content?.dropped && !this.#dropping) {
      const generation = this.#ensureOpen(now);
      this.history.addSpeculative(generation.messageId, now, event.content);
      this.#agent.text(generation, event.content);
    }
  }

  #audio(event: Extract<ServerEvent, { type: 'audio' }>, now: number): void {
    const content = this.#blocks.get(event.contentId);
    if (content?.dropped || (this.#dropping && !content?.generation?.open)) return;
    const owner = content?.generation;
    // A reply that was cut is not played; one that ended for a tool goes on in a new generation.
    if (owner && !owner.open && owner.interrupted) return;
    const generation = owner?.open ? owner : this.#ensureOpen(now);
    if (content) content.generation = generation;
    if (generation.firstAudioAt === undefined) this.#user.stop();
    this.#agent.audio(generation, event.content, now);
  }

  #toolUse(event: Extract<ServerEvent, { type: 'toolUse' }>, now: number): void {
    if (this.pendingTools.has(event.toolUseId)) return;
    this.#user.finish();
    this.#user.stop();
    this.#version += 1;
    this.#pending.toolCalled(event.toolUseId, event.name, now);
    const generation = this.#ensureOpen(now);
    const itemId = this.#newId('item_');
    this.history.add({
      kind: 'tool_call',
      id: itemId,
      at: now,
      callId: event.toolUseId,
      name: event.name,
      args: event.args,
    });
    this.#effects.push({
      type: 'tool_call',
      id: generation.id,
      itemId,
      callId: event.toolUseId,
      name: event.name,
      args: event.args,
    });
    // The framework hands a tool's result over only when all channels have ended: waiting for more would deadlock.
    this.#close('tool_call', now);
  }

  #contentEnd(event: Extract<ServerEvent, { type: 'contentEnd' }>, now: number): void {
    const content = this.#blocks.get(event.contentId);
    if (event.stopReason === 'INTERRUPTED') {
      this.#dropping = false;
      this.#bargeIn('stop_reason', now);
      return;
    }
    const kind = content?.kind ?? event.kind;
    if (kind !== 'AUDIO' || event.stopReason !== 'END_TURN') return;
    this.#dropping = false;
    const owner = content ? content.generation : this.#agent.open;
    if (owner?.open) this.#close('end_turn', now);
    else if (content && !content.generation && !content.dropped) this.#close('end_turn', now);
  }

  #userText(text: string, { now, lastLoudAt }: EventTiming): void {
    this.#dropping = false;
    this.#requests.clearAbandoned();
    const late = this.replying && this.#user.awaitsLateText;
    if (this.replying && !late) this.#bargeIn('user_text', now);
    this.#user.text(text, now, late);
    this.#pending.assumeSpeechEnd(lastLoudAt);
    this.#version += 1;
    if (late) return;
    this.requested(now);
    this.#user.stop();
  }

  // -- turns and generations ---------------------------------------------------------------------------------------

  /** Any sign, any number of times: each reply is interrupted once, and at once. */
  #bargeIn(sign: BargeInSign, now: number): void {
    const heard = this.#agent.audibleGeneration(now);
    if (!heard) return;
    // Words of ours injected while the last sentences are still told look like a caller who speaks up.
    const wasOpen = heard.open;
    const injected =
      sign !== 'user_speech_start' && sign !== 'user_text' && !wasOpen && this.#requests.waiting;
    if (injected) return;
    heard.interrupted = true;
    this.#close('interrupted', now);
    this.history.markInterrupted(heard.messageId, false);
    this.#version += 1;
    this.#agent.stopPlayback(now);
    // After the service's own word nothing of that reply follows; before it the rest may still be on its way.
    if (wasOpen && sign === 'user_speech_start') this.#dropping = true;
    this.#effects.push({ type: 'barge_in', sign, at: now, id: heard.id });
    if (sign === 'user_text') return;
    if (this.#user.speaking) this.#effects.push({ type: 'speech_started' });
    else this.#user.start(now, now);
  }

  #takeAbandoned(): boolean {
    if (this.replying || !this.#requests.takeAbandoned()) return false;
    this.#dropping = true;
    return true;
  }

  #ensureOpen(now: number): Generation {
    if (this.#agent.open) return this.#agent.open;
    this.#user.responseStarted();
    const request = this.#requests.begin();
    const generation = this.#agent.begin(now, this.#pending.responseStarted(now), request);
    this.#version += 1;
    return generation;
  }

  #close(reason: CloseReason, now: number): Generation | undefined {
    const generation = this.#agent.close(reason, now);
    if (!generation) return undefined;
    // The answer itself is what the caller waited for; the words before a tool are not.
    if (reason !== 'tool_call' || generation.audioMs > 0) this.#pending.reset();
    this.#version += 1;
    return generation;
  }

  /** What the next stream is told: the history, and what must be asked again. */
  #planResume(now: number, cut: CutReply | undefined): Pick<ResumePlan, 'history' | 'prompt'> {
    // Who is still speaking will be answered when done; a pending tool's result will be told.
    if (this.#user.speaking || this.pendingTools.size > 0 || this.#requests.waiting)
      return { history: this.snapshot() };
    // Of a reply without sound nothing was heard: it is given anew.
    if (cut?.audioMs === 0) this.history.remove(cut.messageId);
    return planResume(this.snapshot(), cut, this.awaitingAnswer(now));
  }

  #flush(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
