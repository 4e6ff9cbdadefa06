// SPDX-License-Identifier: Apache-2.0
/**
 * What is going on in the call, as a pure state machine: events of the service and commands of ours go in, effects
 * come out. It holds no socket, no timer and no LiveKit object; the time is passed in.
 *
 * Facts it rests on (captures of the live service): one completion spans the whole session, so turns end at the
 * AUDIO contentEnd END_TURN; FINAL text comes seconds late or never; the caller speaking over the agent shows as
 * `userSpeechStart`, as a JSON text `{"interrupted":true}` or as stopReason INTERRUPTED, in any order and number.
 */
import { CallHistory } from './call-history.js';
import {
  addTokens,
  type BargeInSign,
  type CloseReason,
  type Effect,
  type Moment,
  NO_TOKENS,
  type ResponseRecord,
  type ResumePlan,
} from './effects.js';
import type { SonicEvent, TokenCounts } from './events.js';
import type { HistoryEntry } from './history.js';
import { RequestedReplies } from './requested-replies.js';
import { type ResumeCause, sampleTime, UserSpeech } from './user-speech.js';

interface Content {
  readonly kind: 'TEXT' | 'AUDIO' | 'TOOL' | 'UNKNOWN';
  readonly role: string;
  readonly stage?: 'SPECULATIVE' | 'FINAL';
  generation?: Generation;
  dropped: boolean;
}

interface Generation extends ResponseRecord {
  open: boolean;
  hasText: boolean;
  lastActivity: number;
}

/** Playback lags behind what we know by network and buffers; within this margin a reply still counts as playing. */
const PLAYBACK_MARGIN_MS = 1_000;
/** A reply in which nothing comes any more is closed before the framework's own 10 s limit cuts it. */
const STALL_MS = 8_000;
export interface ConversationOptions {
  readonly newId: (prefix: string) => string;
  readonly outputSampleRate: number;
  /** A question that the model does not answer stops counting as open after this (ms). @default 12000 */
  readonly patienceMs?: number;
}

export class Conversation {
  readonly history = new CallHistory();
  readonly #newId: (prefix: string) => string;
  readonly #bytesPerMs: number;
  readonly #patienceMs: number;
  #effects: Effect[] = [];
  #contents = new Map<string, Content>();
  #open?: Generation;
  #latest?: Generation;
  readonly #user: UserSpeech;
  readonly #requests = new RequestedReplies();
  /** The rest of a reply that was cut is still arriving and goes to nobody. */
  #dropping = false;
  #playingUntil = 0;
  /** Since when the model owes an answer. */
  #askedAt?: number;
  #owed = false;
  #speechEndedAt?: number;
  #toolWaitMs = 0;
  readonly #pendingTools = new Map<string, { name: string; since: number }>();
  #tokens: TokenCounts = NO_TOKENS;
  #version = 0;

  constructor(options: ConversationOptions) {
    this.#newId = options.newId;
    this.#patienceMs = options.patienceMs ?? 12_000;
    this.#bytesPerMs = (options.outputSampleRate * 2) / 1_000;
    this.#user = new UserSpeech(
      this.history,
      () => this.#newId('item_'),
      this.#patienceMs,
      (effect) => this.#effects.push(effect),
    );
  }

  /** Counts what a model on another stream would have to know: unchanged means nothing happened. */
  get version(): number {
    return this.#version;
  }

  get pendingTools(): ReadonlyMap<string, { name: string; since: number }> {
    return this.#pendingTools;
  }

  get userSpeaking(): boolean {
    return this.#user.speaking;
  }

  /** The model owes an answer. */
  awaitingAnswer(now: number): boolean {
    return this.#askedAt !== undefined && now - this.#askedAt < this.#patienceMs;
  }

  /** Nobody speaks, nothing is owed, nothing plays: a stream may be exchanged without anyone noticing. */
  quiet(now: number): boolean {
    return (
      !this.#user.speaking &&
      !this.#open &&
      !this.awaitingAnswer(now) &&
      this.#pendingTools.size === 0 &&
      !this.#requests.waiting &&
      now >= this.#playingUntil
    );
  }

  /** A reply's audio is arriving or still being played to the caller. */
  playing(now: number): boolean {
    return this.#open !== undefined || now < this.#playingUntil + PLAYBACK_MARGIN_MS;
  }

  /** Something of the service's arrived. */
  apply(event: SonicEvent, moment: Moment): Effect[] {
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
        this.#tokens = addTokens(this.#tokens, event.delta);
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
    return this.#open !== undefined;
  }

  /** Since when the model owes an answer to something it surely got: speech, words, or a tool's result. */
  get owedSince(): number | undefined {
    return this.#owed ? this.#askedAt : undefined;
  }

  /** A question went out again on a new stream. */
  asked(now: number): void {
    this.#askedAt = now;
    this.#owed = true;
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
    this.#speechEndedAt = undefined;
    this.asked(now);
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
    const call = this.#pendingTools.get(callId);
    if (!call) return false;
    this.#pendingTools.delete(callId);
    this.#toolWaitMs += now - call.since;
    this.asked(now);
    this.#version += 1;
    return true;
  }

  /** The application stops the reply: the rest of it goes to nobody, the next one is heard. */
  interrupt(now: number): Effect[] {
    if (this.#open) {
      const { messageId } = this.#open;
      this.#close('stopped', now);
      this.history.interrupted(messageId, true);
      this.#dropping = true;
    } else if (this.#latest && now < this.#playingUntil && !this.#latest.interrupted) {
      this.#latest.interrupted = true;
      this.history.interrupted(this.#latest.messageId, true);
    }
    this.#playingUntil = Math.min(this.#playingUntil, now);
    return this.#flush();
  }

  /** Closes a reply in which nothing arrives any more, and forgets questions that stay without an answer. */
  tick(now: number): Effect[] {
    if (this.#open && now - this.#open.lastActivity > STALL_MS) this.#close('stalled', now);
    if (this.#askedAt !== undefined && now - this.#askedAt > this.#patienceMs) {
      this.#askedAt = undefined;
      this.#owed = false;
    }
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
    const cut = this.#open;
    if (cut) this.#close('lost', now);
    this.#contents.clear();
    this.#dropping = false;
    const { audioFrom, unheard } = this.#user.carryFrom(now, cause, this.awaitingAnswer(now));
    if (unheard) {
      if (!this.#user.speaking) this.#askedAt = now;
      this.#owed = false;
    }
    this.#user.finish();
    this.#requests.restart();
    const { history, ask } = this.#unanswered(now, cut);
    return { effects: this.#flush(), plan: { history, ask, audioFrom } };
  }

  /** The call ends: what is open is closed, the last transcript is told. */
  end(now: number): { effects: Effect[]; leftover: TokenCounts } {
    this.#user.finish();
    this.#close('closed', now);
    const leftover = this.#tokens;
    this.#tokens = NO_TOKENS;
    return { effects: this.#flush(), leftover };
  }

  /** The history without what is asked for in words that are still to be sent. */
  snapshot(): HistoryEntry[] {
    const unsent = new Set(this.#requests.unsent.map((r) => r.id));
    return this.history.entries.filter((entry) => !unsent.has(entry.id));
  }

  // -- what the service says ---------------------------------------------------------------------------------------

  #speechStart(offsetMs: number | undefined, moment: Moment): void {
    this.#bargeIn('user_speech_start', moment.now);
    this.#user.heardStart(sampleTime(offsetMs, moment), moment.now);
    this.#requests.forgetOrphans();
  }

  #speechEnd(event: Extract<SonicEvent, { type: 'userSpeechEnd' }>, moment: Moment): void {
    const at = sampleTime(event.offsetMs, moment);
    const sureAt = event.detectedMs === undefined ? at : sampleTime(event.detectedMs, moment);
    this.#dropping = false;
    this.#speechEndedAt = at;
    if (this.#askedAt === undefined) {
      this.#askedAt = moment.now;
      this.#owed = !this.#user.retried;
    }
    this.#version += 1;
    this.#user.heardEnd(at, Math.max(at, sureAt));
  }

  #contentStart(event: Extract<SonicEvent, { type: 'contentStart' }>, now: number): void {
    const content: Content = {
      kind: event.kind,
      role: event.role,
      stage: event.stage,
      dropped: false,
    };
    this.#contents.set(event.contentId, content);
    // Kept after their end, since audio of a reply that was cut may still come; the oldest are forgotten.
    if (this.#contents.size > 500)
      this.#contents.delete(this.#contents.keys().next().value as string);
    if (event.role === 'USER' || event.kind === 'UNKNOWN') return;
    if (event.kind === 'TEXT' && event.stage === 'FINAL') return;
    if (event.kind === 'TOOL') {
      this.#user.finish();
      return;
    }
    if (this.#dropping || this.#takeOrphan()) {
      content.dropped = true;
      return;
    }
    if (event.kind === 'AUDIO') content.generation = this.#open;
    this.#user.finish();
    this.#user.stop();
    if (this.#open) this.#open.lastActivity = now;
  }

  #text(event: Extract<SonicEvent, { type: 'text' }>, moment: Moment): void {
    const { now } = moment;
    const content = this.#contents.get(event.contentId);
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
      this.history.final(event.content, now, () => this.#newId('item_'));
    } else if (role === 'ASSISTANT' && !content?.dropped && !this.#dropping) {
      const generation = this.#ensureOpen(now);
      const gap = generation.hasText && !/^\s/.test(event.content) ? ' ' : '';
      generation.hasText = true;
      this.history.draft(generation.messageId, now, event.content);
      this.#effects.push({ type: 'text', id: generation.id, text: gap + event.content });
    }
  }

  #audio(event: Extract<SonicEvent, { type: 'audio' }>, now: number): void {
    const content = this.#contents.get(event.contentId);
    if (content?.dropped || (this.#dropping && !content?.generation?.open)) return;
    const owner = content?.generation;
    // A reply that was cut is not played; one that ended for a tool goes on in a new generation.
    if (owner && !owner.open && owner.interrupted) return;
    const generation = owner?.open ? owner : this.#ensureOpen(now);
    if (content) content.generation = generation;
    const bytes = Math.floor((event.content.length * 3) / 4);
    const ms = bytes / this.#bytesPerMs;
    if (generation.firstAudioAt === undefined) {
      generation.firstAudioAt = now;
      this.#user.stop();
    }
    generation.audioMs += ms;
    generation.lastActivity = now;
    this.#playingUntil = Math.max(now, this.#playingUntil) + ms;
    this.#effects.push({ type: 'audio', id: generation.id, content: event.content });
  }

  #toolUse(event: Extract<SonicEvent, { type: 'toolUse' }>, now: number): void {
    if (this.#pendingTools.has(event.toolUseId)) return;
    this.#user.finish();
    this.#user.stop();
    this.#version += 1;
    this.#pendingTools.set(event.toolUseId, { name: event.name, since: now });
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

  #contentEnd(event: Extract<SonicEvent, { type: 'contentEnd' }>, now: number): void {
    const content = this.#contents.get(event.contentId);
    if (event.stopReason === 'INTERRUPTED') {
      this.#dropping = false;
      this.#bargeIn('stop_reason', now);
      return;
    }
    const kind = content?.kind ?? event.kind;
    if (kind !== 'AUDIO' || event.stopReason !== 'END_TURN') return;
    this.#dropping = false;
    const owner = content ? content.generation : this.#open;
    if (owner?.open) this.#close('end_turn', now);
    else if (content && !content.generation && !content.dropped) this.#close('end_turn', now);
  }

  #userText(text: string, { now, lastLoudAt }: Moment): void {
    this.#dropping = false;
    this.#requests.forgetOrphans();
    const late = this.#open !== undefined && this.#user.awaitsLateText;
    if (this.#open && !late) this.#bargeIn('user_text', now);
    this.#user.text(text, now, late);
    this.#speechEndedAt ??= lastLoudAt;
    this.#version += 1;
    if (late) return;
    this.asked(now);
    this.#user.stop();
  }

  // -- turns and generations ---------------------------------------------------------------------------------------

  /** Any sign, any number of times: each reply is interrupted once, and at once. */
  #bargeIn(sign: BargeInSign, now: number): void {
    const playing = this.playing(now) ? (this.#open ?? this.#latest) : undefined;
    if (!playing || playing.interrupted) return;
    // Words of ours injected while the last sentences are still told look like a caller who speaks up.
    const injected =
      sign !== 'user_speech_start' && sign !== 'user_text' && !this.#open && this.#requests.waiting;
    if (injected) return;
    const wasOpen = this.#open !== undefined;
    playing.interrupted = true;
    this.#close('interrupted', now);
    this.history.interrupted(playing.messageId, false);
    this.#version += 1;
    this.#playingUntil = Math.min(this.#playingUntil, now);
    // After the service's own word nothing of that reply follows; before it the rest may still be on its way.
    if (wasOpen && sign === 'user_speech_start') this.#dropping = true;
    this.#effects.push({ type: 'barge_in', sign, at: now, id: playing.id });
    if (sign === 'user_text') return;
    if (this.#user.speaking) this.#effects.push({ type: 'speech_started' });
    else this.#user.start(now, now);
  }

  #takeOrphan(): boolean {
    if (this.#open || !this.#requests.takeOrphan()) return false;
    this.#dropping = true;
    return true;
  }

  #ensureOpen(now: number): Generation {
    if (this.#open) return this.#open;
    this.#user.answered();
    const requestId = this.#requests.begin();
    const generation: Generation = {
      id: this.#newId('response_'),
      messageId: this.#newId('item_'),
      requestedAt: this.#askedAt ?? now,
      openedAt: now,
      audioMs: 0,
      interrupted: false,
      userSpeechEndedAt: this.#speechEndedAt,
      toolWaitMs: this.#toolWaitMs,
      tokens: NO_TOKENS,
      open: true,
      hasText: false,
      lastActivity: now,
    };
    this.#askedAt = undefined;
    this.#owed = false;
    this.#version += 1;
    this.#open = generation;
    this.#latest = generation;
    this.#effects.push({ type: 'generation_opened', response: generation, requestId });
    return generation;
  }

  #close(reason: CloseReason, now: number): void {
    const generation = this.#open;
    if (!generation) return;
    this.#open = undefined;
    generation.open = false;
    generation.closedAt = now;
    if (reason === 'interrupted' || reason === 'stopped') generation.interrupted = true;
    generation.tokens = this.#tokens;
    this.#tokens = NO_TOKENS;
    // The answer itself is what the caller waited for; the words before a tool are not.
    if (reason !== 'tool_call' || generation.audioMs > 0) {
      this.#speechEndedAt = undefined;
      this.#toolWaitMs = 0;
    }
    this.#version += 1;
    this.#effects.push({ type: 'generation_closed', response: generation, reason });
  }

  /** What was asked and has no answer: taken out of the history, to be asked again. */
  #unanswered(now: number, cut: Generation | undefined): { history: HistoryEntry[]; ask?: string } {
    const history = this.snapshot();
    // Who is still speaking will be answered when done; a pending tool's result will be told.
    if (this.#user.speaking || this.#pendingTools.size > 0 || this.#requests.waiting)
      return { history };
    if (cut && !cut.interrupted && cut.audioMs > 0) {
      const said = history.find((e) => e.id === cut.messageId);
      const words = said?.kind === 'assistant' ? said.text : '';
      return {
        history,
        ask: `[The connection broke while you were answering. You had planned to say: "${words}". Finish that answer briefly.]`,
      };
    }
    if (cut && cut.audioMs === 0) {
      this.history.remove(cut.messageId);
    } else if (!this.awaitingAnswer(now)) return { history };
    const left = this.snapshot();
    const tail: HistoryEntry[] = [];
    for (let i = left.length - 1; i >= 0; i -= 1) {
      const entry = left[i] as HistoryEntry;
      if (entry.kind === 'assistant') break;
      if (entry.kind === 'user' || entry.kind === 'instruction') {
        if (entry.text.trim()) tail.unshift(entry);
      } else if (entry.kind === 'tool_result') {
        return {
          history: left,
          ask: '[The connection broke before you could answer. Answer the last question now.]',
        };
      }
    }
    if (tail.length === 0) return { history: left };
    const again = tail.map((e) => ('text' in e ? e.text : '')).join('\n');
    return { history: left.filter((e) => !tail.includes(e)), ask: again };
  }

  #flush(): Effect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }
}
