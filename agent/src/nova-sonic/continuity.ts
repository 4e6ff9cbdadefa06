// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps one call alive across many streams: a stream lives 8 minutes at most and may die at any moment, the call
 * goes on. Renewal at quiet moments, retry, failover to other Regions, the caller's audio carried over. It decides
 * when and what; `stream.ts` does it. Clock, chance and streams are passed in.
 */
import { type AudioChunk, AudioMemory, AudioTimeline, loudness } from './audio-input.js';
import type { Clock } from './clock.js';
import type { Conversation } from './conversation.js';
import type { Effect, ResumePlan } from './effects.js';
import { type NovaSonicError, noResponse, NovaSonicError as SonicError } from './errors.js';
import { type ClientEvent, parseServerEvent, type SessionConfig } from './events.js';
import { type HistoryEntry, type HistoryLimits, splitText, toWire } from './history.js';
import { PRIME_MS, Prompt } from './prompt.js';
import { type RetryOptions, RetryPolicy } from './retry.js';
import type { StreamLifecycle } from './session-events.js';
import type { SonicStream, StreamSink } from './stream.js';

/** What a stream is opened with; asked for anew each time. */
export interface StreamSettings {
  readonly config: SessionConfig;
  readonly instructions: string;
}

export interface ContinuityHost {
  settings(): StreamSettings;
  effects(effects: readonly Effect[]): void;
  lifecycle(event: StreamLifecycle): void;
  /** A failure; when it is not recoverable the call is over. */
  failed(error: NovaSonicError, recoverable: boolean): void;
  /** The call goes on, on another stream. */
  reconnected(): void;
  sent(event: ClientEvent, streamId: string): void;
  received(document: unknown, streamId: string): void;
}

export interface ContinuityOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly newId: (prefix: string) => string;
  readonly regions: readonly string[];
  readonly retry: RetryOptions;
  readonly history: HistoryLimits;
  /** Age at which a stream is replaced at the next quiet moment (ms). */
  readonly renewAfterMs: number;
  /** How much of the caller's audio is kept for a stream that has to be replaced (ms). */
  readonly carryOverMs: number;
  /** How long the service may owe an answer without any event (ms). */
  readonly progressMs: number;
  readonly openStream: (id: string, region: string, sink: StreamSink) => SonicStream;
}

/** One stream of the call with what was said on it. */
interface Link {
  readonly stream: SonicStream;
  readonly prompt: Prompt;
  readonly timeline: AudioTimeline;
  reason: string;
  readonly settings: string;
  openedAt?: number;
  lastStimulusAt: number;
  /** How many of the waiting notes this stream was told. */
  notesSent: number;
  /** For a stream that stands by: what the conversation was when its history was told. */
  version: number;
}

const TICK_MS = 100;
/** The service ends a stream after 480 s; without a quiet moment we end it before. */
const HARD_LIMIT_MS = 465_000;
const HARD_EXTRA_MS = 90_000;
/** The service ends a stream on which nothing was said or asked for 295 s. */
const UNUSED_LIMIT_MS = 270_000;
/** Credentials are exchanged before they end. */
const CREDENTIALS_MARGIN_MS = 60_000;
const SAME_CREDENTIALS_MS = 15_000;
/** A gap in the audio is filled with silence: at first all of it, so that the end of a turn is noticed … */
const GAP_MS = 150;
const FILL_MS = 3_000;
/** … then so much that the service does not count the stream as idle (it allows 55 s). */
const KEEP_ALIVE_MS = 10_000;
/** So much loud audio without any event means that nobody is listening at the other end. */
const DEAF_MS = 5_000;
const LOUD = 300;
/** Loud audio so recent may be the beginning of a turn. */
/** A reply that stops in the middle must be noticed before the framework gives its audio up (10 s). */
const REPLY_STALL_MS = 7_000;
const LOUD_MEMORY_MS = 1_500;

export class Continuity {
  readonly #options: ContinuityOptions;
  readonly #host: ContinuityHost;
  readonly #conversation: Conversation;
  readonly #policy: RetryPolicy;
  readonly #memory: AudioMemory;
  #current?: Link;
  #standby?: Link;
  readonly #closing = new Set<Promise<void>>();
  #state: 'new' | 'on' | 'over' = 'new';
  #plan?: ResumePlan;
  #pendingAsk?: string;
  /** Results of tools that were called on a stream that is gone. */
  #notes: string[] = [];
  #cancelRetry?: () => void;
  #cancelTick?: () => void;
  #renewReason?: string;
  #renewNotBefore = 0;
  #renewed: Array<() => void> = [];
  #lastAudioAt = 0;
  #lastFillAt = 0;
  #lastEventAt = 0;
  #lastLoudAt?: number;
  #loudMs = 0;
  #deafTried = false;
  #historyShare = 1;
  #filtered = 0;

  constructor(options: ContinuityOptions, conversation: Conversation, host: ContinuityHost) {
    this.#options = options;
    this.#conversation = conversation;
    this.#host = host;
    this.#policy = new RetryPolicy(options.regions, options.retry, options.random);
    this.#memory = new AudioMemory(options.carryOverMs);
  }

  get started(): boolean {
    return this.#state !== 'new';
  }

  /** A stream is up and takes audio. */
  get live(): boolean {
    return this.#current?.stream.live ?? false;
  }

  /** The fingerprint of what the current stream was opened with. */
  get settings(): string | undefined {
    return this.#current?.settings;
  }

  /** Opens the first stream. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'on';
    this.#plan = { history: this.#conversation.snapshot(), audioFrom: 0 };
    this.#connect(this.#policy.pick(this.#now), 'start');
    this.#tick();
  }

  /** The caller's audio. Kept for a while, whatever the state of the stream. */
  audio(chunk: AudioChunk): void {
    if (this.#state === 'over') return;
    this.#memory.push(chunk);
    this.#lastAudioAt = chunk.at;
    if (loudness(chunk.pcm) > LOUD) {
      this.#lastLoudAt = chunk.at;
      if (this.#current) this.#loudMs += chunk.ms;
    }
    this.#writeAudio(this.#current, chunk);
  }

  /** Forgets audio that was not sent yet. */
  clearAudio(): void {
    this.#memory.clear();
  }

  /** Sends the words of requests that were not sent yet. */
  sendRequests(): void {
    if (this.#current) this.#sendOpenRequests(this.#current);
  }

  /** The answer of a tool: to the stream that asked, or as words when that one is gone. */
  toolResult(callId: string, content: string, note: string): void {
    if (this.#state === 'over') return;
    const now = this.#now;
    const events = this.#current?.prompt.toolResult(callId, content) ?? [];
    if (!this.#conversation.toolAnswered(callId, now)) return;
    if (events.length > 0 && this.#current) {
      this.#write(this.#current, events);
      this.#current.lastStimulusAt = now;
      return;
    }
    this.#notes.push(note);
    if (this.#current) this.#sendNotes(this.#current);
  }

  /**
   * Asks for a fresh stream: at the next quiet moment, or at once. Several requests make one renewal.
   * Resolves when the call has moved (or has ended).
   */
  renew(reason: string, options: { immediately?: boolean } = {}): Promise<void> {
    if (this.#state !== 'on') return Promise.resolve();
    this.#renewReason ??= reason;
    const moved = new Promise<void>((resolve) => this.#renewed.push(resolve));
    if (options.immediately && this.#current) this.#replace(reason);
    return moved;
  }

  /** Takes back a request for a renewal that nobody needs any more. */
  cancelRenewal(): void {
    this.#renewReason = undefined;
    this.#settleRenewed();
  }

  /** When the piece with what had arrived at a moment was handed to the SDK. */
  sentAt(arrival: number): number | undefined {
    return this.#current?.timeline.sentAt(arrival);
  }

  /** Ends everything, in order where the stream is up. Resolves when nothing is left. */
  async close(reason = 'closed'): Promise<void> {
    if (this.#state !== 'over') this.#end(reason);
    await Promise.all(this.#closing);
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  // -- connecting --------------------------------------------------------------------------------------------------

  #open(region: string, reason: string, history: readonly HistoryEntry[]): Link {
    const { config, instructions } = this.#host.settings();
    const id = this.#options.newId('stream_');
    const now = this.#now;
    this.#policy.connecting(now);
    this.#host.lifecycle({ type: 'opening', streamId: id, region, reason, at: now });
    let link: Link | undefined;
    const stream = this.#options.openStream(id, region, {
      opened: (openMs) => link && this.#opened(link, openMs),
      received: (document) => link && this.#received(link, document),
      sent: (event) => this.#host.sent(event, id),
      ended: (error) => link && this.#ended(link, error),
    });
    link = {
      stream,
      prompt: new Prompt(config),
      timeline: new AudioTimeline(),
      reason,
      settings: settingsFingerprint({ config, instructions }),
      lastStimulusAt: now,
      notesSent: 0,
      version: this.#conversation.version,
    };
    const { maxBytes, maxTextBytes } = this.#options.history;
    const limits = { maxBytes: Math.floor(maxBytes * this.#historyShare), maxTextBytes };
    stream.write(link.prompt.opening(instructions, toWire(history, limits)));
    link.timeline.wrote(PRIME_MS, now, now);
    return link;
  }

  /** Opens the call's stream and tells it all it has to know; nothing waits for the connection. */
  #connect(region: string, reason: string): void {
    const plan = this.#plan ?? { history: this.#conversation.snapshot(), audioFrom: this.#now };
    this.#loudMs = 0;
    this.#lastEventAt = this.#now;
    const link = this.#open(region, reason, plan.history);
    this.#current = link;
    for (const chunk of this.#memory.since(plan.audioFrom)) this.#writeAudio(link, chunk);
    const ask = plan.ask ?? this.#pendingAsk;
    if (ask) {
      this.#pendingAsk = ask;
      this.#sendText(link, ask);
      this.#conversation.asked(this.#now);
    }
    this.#sendNotes(link);
    this.#sendOpenRequests(link);
  }

  #opened(link: Link, openMs: number): void {
    const now = this.#now;
    link.openedAt = now;
    const { id: streamId, region } = link.stream;
    this.#host.lifecycle({
      type: 'opened',
      streamId,
      region,
      at: now,
      openMs,
      reason: link.reason,
    });
    if (link === this.#current) {
      const first = link.reason === 'start';
      this.#plan = undefined;
      this.#forgetNotes(link);
      this.#policy.opened();
      if (!first) {
        const type = link.reason === 'failure' ? 'failed_over' : 'renewed';
        this.#host.lifecycle({ type, streamId, region, at: now, reason: link.reason });
        this.#host.reconnected();
        this.#settleRenewed();
      }
    } else if (link === this.#standby) this.#promote(link);
  }

  #received(link: Link, document: unknown): void {
    this.#host.received(document, link.stream.id);
    if (link !== this.#current || this.#state !== 'on') return;
    const now = this.#now;
    this.#lastEventAt = now;
    this.#loudMs = 0;
    const event = parseServerEvent(document);
    if (event.type === 'toolUse') link.prompt.toolUsed(event.toolUseId);
    if (event.type === 'userSpeechStart' || event.type === 'text') {
      link.lastStimulusAt = now;
      this.#deafTried = false;
    }
    const effects = this.#conversation.apply(event, {
      now,
      lastLoudAt: this.#lastLoudAt,
      sampleAt: (offsetMs) => link.timeline.arrival(offsetMs),
    });
    if (effects.some((effect) => effect.type === 'generation_opened')) this.#pendingAsk = undefined;
    if (effects.some((e) => e.type === 'generation_closed' && e.reason === 'end_turn')) {
      this.#policy.healthy(link.stream.region);
      this.#filtered = 0;
    }
    this.#host.effects(effects);
  }

  #ended(link: Link, error?: SonicError): void {
    const now = this.#now;
    const livedMs = link.openedAt === undefined ? 0 : Math.max(1, now - link.openedAt);
    const { id: streamId, region } = link.stream;
    if (!error) {
      this.#host.lifecycle({
        type: 'closed',
        streamId,
        region,
        at: now,
        livedMs,
        reason: link.reason,
      });
      return;
    }
    const type = error.kind === 'throttled' ? 'throttled' : 'failed';
    this.#host.lifecycle({
      type,
      streamId,
      region,
      at: now,
      reason: link.reason,
      kind: error.kind,
      error: error.message,
      livedMs,
    });
    if (link === this.#standby) {
      this.#standby = undefined;
      this.#renewNotBefore = now + this.#policy.renewalFailed(region, error, now);
    } else if (link === this.#current && this.#state === 'on')
      this.#lost(link, error, livedMs, now);
  }

  /** The stream of the call is gone. */
  #lost(link: Link, error: SonicError, livedMs: number, now: number): void {
    this.#current = undefined;
    this.#dropStandby();
    this.#rememberPlan(now, error.kind === 'no_response' ? 'silence' : 'failure');
    const decision = this.#adapt(error)
      ? this.#policy.failed(link.stream.region, error, livedMs, now)
      : ({ type: 'give_up', why: 'the content filter stopped it again' } as const);
    if (decision.type === 'give_up') {
      const final = new SonicError(
        'gave_up',
        `The call cannot be served: ${decision.why}. Last: ${error.message}`,
        {
          retryable: false,
          cause: error,
          region: link.stream.region,
        },
      );
      this.#end('gave up');
      this.#host.failed(final, false);
      return;
    }
    this.#host.failed(error, true);
    if (this.#state !== 'on') return;
    this.#cancelRetry = this.#options.clock.after(decision.delayMs, () => {
      this.#cancelRetry = undefined;
      this.#connect(decision.region, 'failure');
    });
  }

  /** Failures that the same opening would run into again. False when there is nothing left to change. */
  #adapt(error: SonicError): boolean {
    if (error.kind === 'history_too_long') this.#historyShare /= 2;
    if (error.kind !== 'content_filtered' || !this.#plan) return true;
    this.#filtered += 1;
    const { ask, history } = this.#plan;
    const last = history.findLastIndex((e) => e.kind === 'user' || e.kind === 'instruction');
    // What is to be asked again was taken out of the history already.
    const kept = ask === undefined ? history.slice(0, Math.max(0, last)) : history;
    this.#plan = { history: kept, audioFrom: this.#now };
    this.#pendingAsk = undefined;
    return this.#filtered < 3;
  }

  /** What the next stream must know; an earlier plan that never reached a stream is kept. */
  #rememberPlan(now: number, cause: 'failure' | 'silence'): void {
    const { effects, plan } = this.#conversation.resume(now, cause);
    const earlier = this.#plan;
    this.#plan = earlier
      ? {
          ...plan,
          ask: plan.ask ?? earlier.ask,
          audioFrom: Math.min(plan.audioFrom, earlier.audioFrom),
        }
      : plan;
    this.#host.effects(effects);
  }

  // -- renewal -----------------------------------------------------------------------------------------------------

  #renewalDue(link: Link, now: number): string | undefined {
    const age = now - (link.openedAt ?? now);
    if (age >= this.#options.renewAfterMs) return 'age';
    const { expiresAt } = link.stream;
    if (expiresAt !== undefined && now >= expiresAt - CREDENTIALS_MARGIN_MS) return 'credentials';
    if (now - link.lastStimulusAt >= UNUSED_LIMIT_MS) return 'unused';
    return this.#renewReason;
  }

  /** Opens the stream that follows, beside the current one, which goes on serving meanwhile. */
  #prepare(reason: string): void {
    const region = this.#policy.pick(this.#now);
    this.#standby = this.#open(region, reason, this.#conversation.snapshot());
  }

  /** The stream that stands by is up: the call moves there, unless something happened that it was not told. */
  #promote(link: Link): void {
    this.#standby = undefined;
    const old = this.#current;
    const now = this.#now;
    if (link.version !== this.#conversation.version || !old) {
      this.#retire(link);
      return;
    }
    const { effects, plan } = this.#conversation.resume(now, 'planned');
    this.#current = link;
    this.#renewReason = undefined;
    // Credentials that did not change would be due for renewal again at once.
    const same = link.reason === 'credentials' && link.stream.expiresAt === old.stream.expiresAt;
    this.#renewNotBefore = now + (same ? SAME_CREDENTIALS_MS : 0);
    for (const chunk of this.#memory.since(plan.audioFrom)) this.#writeAudio(link, chunk);
    this.#host.effects(effects);
    this.#retire(old);
    this.#host.lifecycle({
      type: 'renewed',
      streamId: link.stream.id,
      region: link.stream.region,
      at: now,
      reason: link.reason,
      livedMs: now - (old.openedAt ?? now),
    });
    this.#sendNotes(link);
    this.#sendOpenRequests(link);
    this.#settleRenewed();
    this.#host.reconnected();
  }

  /** Moves the call at once, whatever goes on; what is being said is carried over as after a failure. */
  #replace(reason: string): void {
    const old = this.#current;
    if (!old) return;
    this.#dropStandby();
    this.#current = undefined;
    this.#renewReason = undefined;
    this.#rememberPlan(this.#now, 'failure');
    this.#retire(old);
    this.#connect(this.#policy.pick(this.#now), reason);
  }

  #retire(link: Link): void {
    const done = link.stream.close(link.prompt.closing());
    this.#closing.add(done);
    void done.finally(() => this.#closing.delete(done));
  }

  #dropStandby(): void {
    const standby = this.#standby;
    this.#standby = undefined;
    if (standby) this.#retire(standby);
  }

  #settleRenewed(): void {
    const waiting = this.#renewed;
    this.#renewed = [];
    for (const resolve of waiting) resolve();
  }

  // -- writing -----------------------------------------------------------------------------------------------------

  #write(link: Link, events: readonly ClientEvent[]): void {
    link.stream.write(events);
  }

  #writeAudio(link: Link | undefined, chunk: AudioChunk): void {
    if (!link) return;
    const events = link.prompt.audio(chunk.pcm);
    if (events.length === 0) return;
    link.timeline.wrote(chunk.ms, chunk.at, this.#now);
    this.#write(link, events);
  }

  #writeSilence(link: Link, ms: number): void {
    const now = this.#now;
    link.timeline.wrote(ms, now, now);
    this.#write(link, link.prompt.silence(ms));
    this.#lastFillAt = now;
  }

  /** Words are only heard next to audio: where none flows, a little silence goes before. */
  #sendText(link: Link, text: string): void {
    const now = this.#now;
    if (now - this.#lastAudioAt > GAP_MS && now - this.#lastFillAt > GAP_MS)
      this.#writeSilence(link, PRIME_MS);
    this.#write(link, link.prompt.text(splitText(text, this.#options.history.maxTextBytes)));
    link.lastStimulusAt = now;
  }

  /** Sent with every stream until one is up, so that a failed connect does not lose them. */
  #sendNotes(link: Link): void {
    const notes = this.#notes.slice(link.notesSent);
    if (notes.length === 0) return;
    this.#sendText(link, notes.join('\n'));
    link.notesSent = this.#notes.length;
    this.#conversation.asked(this.#now);
    if (link.openedAt !== undefined) this.#forgetNotes(link);
  }

  #forgetNotes(link: Link): void {
    this.#notes.splice(0, link.notesSent);
    link.notesSent = 0;
  }

  #sendOpenRequests(link: Link): void {
    for (const { id, text } of [...this.#conversation.unsentRequests]) {
      this.#sendText(link, text);
      this.#conversation.requestSent(id, this.#now);
    }
  }

  // -- watching ----------------------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#state !== 'on') return;
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => this.#tick());
    const now = this.#now;
    this.#host.effects(this.#conversation.tick(now));
    const link = this.#current;
    if (!link) return;
    this.#fillGap(link, now);
    const trouble = this.#trouble(link, now);
    if (trouble) {
      link.stream.fail(trouble);
      return;
    }
    if (link.openedAt === undefined || this.#standby) return;
    const reason = this.#renewalDue(link, now);
    if (!reason) return;
    const hard = Math.min(
      this.#options.renewAfterMs + HARD_EXTRA_MS,
      Math.max(this.#options.renewAfterMs, HARD_LIMIT_MS),
    );
    if (now < this.#renewNotBefore) return;
    if (now - link.openedAt >= hard) this.#replace(reason);
    else if (this.#quiet(now)) this.#prepare(reason);
  }

  /** Also by our own ears: the service tells late, or not at all, that the caller has begun to speak. */
  #quiet(now: number): boolean {
    return this.#conversation.quiet(now) && now - (this.#lastLoudAt ?? 0) > LOUD_MEMORY_MS;
  }

  #fillGap(link: Link, now: number): void {
    const gap = now - Math.max(this.#lastAudioAt, link.openedAt ?? now);
    if (gap < GAP_MS) return;
    const due = gap < FILL_MS ? TICK_MS : KEEP_ALIVE_MS;
    if (now - this.#lastFillAt >= due) this.#writeSilence(link, TICK_MS);
  }

  #trouble(link: Link, now: number): SonicError | undefined {
    const { region } = link.stream;
    if (link.stream.stalled(now))
      return noResponse('the service did not take what was sent', 5_000, region);
    if (link.openedAt === undefined) return undefined;
    const owed = this.#conversation.owedSince;
    const silence = now - Math.max(owed ?? now, this.#lastEventAt);
    if (owed !== undefined && silence > this.#options.progressMs) {
      return noResponse('the service did not answer a question', silence, region);
    }
    const unheard = now - this.#lastEventAt;
    if (
      this.#conversation.replying &&
      unheard > Math.min(this.#options.progressMs, REPLY_STALL_MS)
    ) {
      return noResponse('the service did not go on with a reply', unheard, region);
    }
    const calm = Math.min(unheard, now - (this.#lastLoudAt ?? now));
    if (this.#conversation.userSpeaking && calm > this.#options.progressMs) {
      return noResponse('the service did not notice the end of speech', calm, region);
    }
    // It may be noise that the service rightly ignores: so once only, until it hears something again.
    if (this.#loudMs > DEAF_MS && !this.#deafTried && !this.#conversation.userSpeaking) {
      this.#deafTried = true;
      return noResponse('the service did not notice the caller speaking', this.#loudMs, region);
    }
    return undefined;
  }

  #end(reason: string): void {
    this.#state = 'over';
    this.#cancelRetry?.();
    this.#cancelTick?.();
    this.#dropStandby();
    const link = this.#current;
    this.#current = undefined;
    if (link) {
      link.reason = reason;
      this.#retire(link);
    }
    this.#memory.clear();
    this.#settleRenewed();
  }
}

/** Two streams with the same fingerprint were opened with the same instructions, tools and parameters. */
export const settingsFingerprint = (settings: StreamSettings): string => JSON.stringify(settings);
