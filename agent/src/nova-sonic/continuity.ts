// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps one call alive across many streams: a stream lives 8 minutes at most and may die at any moment, the call
 * goes on. Renewal at quiet moments, retry, failover to other Regions, the caller's audio carried over. It decides
 * when and what; `stream.ts` does it. Clock, chance and streams are passed in.
 */
import { type AudioChunk, AudioMemory } from './audio-input.js';
import type { Clock } from './clock.js';
import type { Conversation } from './conversation.js';
import type { Effect, ResumePlan } from './effects.js';
import { NovaSonicError } from './errors.js';
import { type ClientEvent, parseServerEvent, type SessionConfig } from './events.js';
import { type HistoryEntry, type HistoryLimits, toWire } from './history.js';
import { Link } from './link.js';
import { PRIME_MS, Prompt } from './prompt.js';
import { type RetryOptions, RetryPolicy } from './retry.js';
import type { StreamLifecycle } from './session-events.js';
import type { SonicStream, StreamSink } from './stream.js';
import { Watchdog } from './watchdog.js';

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
export class Continuity {
  readonly #options: ContinuityOptions;
  readonly #host: ContinuityHost;
  readonly #conversation: Conversation;
  readonly #policy: RetryPolicy;
  readonly #memory: AudioMemory;
  readonly #watchdog = new Watchdog();
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
    this.#watchdog.audio(chunk, this.#current !== undefined);
    this.#current?.audio(chunk, this.#now);
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
    const told = this.#current?.toolResult(callId, content, now) ?? false;
    if (!this.#conversation.toolAnswered(callId, now) || told) return;
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
    return this.#current?.sentAt(arrival);
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
    const { maxBytes, maxTextBytes } = this.#options.history;
    const limits = { maxBytes: Math.floor(maxBytes * this.#historyShare), maxTextBytes };
    link = new Link(stream, new Prompt(config), {
      settings: settingsFingerprint({ config, instructions }),
      version: this.#conversation.version,
      reason,
      limits,
      now,
    });
    link.begin(instructions, toWire(history, limits), now);
    return link;
  }

  /** Opens the call's stream and tells it all it has to know; nothing waits for the connection. */
  #connect(region: string, reason: string): void {
    const plan = this.#plan ?? { history: this.#conversation.snapshot(), audioFrom: this.#now };
    this.#watchdog.restart(this.#now);
    const link = this.#open(region, reason, plan.history);
    this.#current = link;
    for (const chunk of this.#memory.since(plan.audioFrom)) link.audio(chunk, this.#now);
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
    const event = parseServerEvent(document);
    if (event.type === 'toolUse') link.prompt.toolUsed(event.toolUseId);
    const noticed = event.type === 'userSpeechStart' || event.type === 'text';
    if (noticed) link.lastStimulusAt = now;
    this.#watchdog.event(now, noticed);
    const effects = this.#conversation.apply(event, {
      now,
      lastLoudAt: this.#watchdog.lastLoudAt,
      sampleAt: (offsetMs) => link.arrival(offsetMs),
    });
    if (effects.some((effect) => effect.type === 'generation_opened')) this.#pendingAsk = undefined;
    if (effects.some((e) => e.type === 'generation_closed' && e.reason === 'end_turn')) {
      this.#policy.healthy(link.stream.region);
      this.#filtered = 0;
    }
    this.#host.effects(effects);
  }

  #ended(link: Link, error?: NovaSonicError): void {
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
  #lost(link: Link, error: NovaSonicError, livedMs: number, now: number): void {
    this.#current = undefined;
    this.#dropStandby();
    this.#rememberPlan(now, error.kind === 'no_response' ? 'silence' : 'failure');
    const decision = this.#adapt(error)
      ? this.#policy.failed(link.stream.region, error, livedMs, now)
      : ({ type: 'give_up', why: 'the content filter stopped it again' } as const);
    if (decision.type === 'give_up') {
      const final = new NovaSonicError(
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
  #adapt(error: NovaSonicError): boolean {
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
    if (link.age(now) >= this.#options.renewAfterMs) return 'age';
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
    for (const chunk of this.#memory.since(plan.audioFrom)) link.audio(chunk, this.#now);
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

  /** Words are only heard next to audio: where none flows, a little silence goes before. */
  #sendText(link: Link, text: string): void {
    const now = this.#now;
    const audioFlows = now - this.#watchdog.lastAudioAt <= GAP_MS || link.sinceFill(now) <= GAP_MS;
    if (!audioFlows) link.silence(PRIME_MS, now);
    link.text(text, now);
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
    const trouble = this.#watchdog.trouble(link, this.#conversation, now, this.#options.progressMs);
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
    if (link.age(now) >= hard) this.#replace(reason);
    else if (this.#conversation.quiet(now) && this.#watchdog.calm(now)) this.#prepare(reason);
  }

  #fillGap(link: Link, now: number): void {
    const gap = now - Math.max(this.#watchdog.lastAudioAt, link.openedAt ?? now);
    if (gap < GAP_MS) return;
    const due = gap < FILL_MS ? TICK_MS : KEEP_ALIVE_MS;
    if (link.sinceFill(now) >= due) link.silence(TICK_MS, now);
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
