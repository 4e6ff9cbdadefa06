// SPDX-License-Identifier: Apache-2.0
/**
 * Keeps one call alive across many streams: a stream lives 8 minutes at most and may die at any moment, the call
 * goes on. Renewal at quiet moments, retry, failover to other Regions, the caller's audio carried over. It decides
 * when and what; `stream.ts` does it. Clock, chance and streams are passed in.
 */
import { type AudioChunk, RollingAudioBuffer } from '../audio/chunker.js';
import { type HistoryEntry, toWireMessages } from '../history/chat-context.js';
import { ClientEventSequencer } from '../protocol/client-event-sequencer.js';
import { asError, NovaSonicError } from '../protocol/errors.js';
import { parseServerEvent } from '../protocol/server-events.js';
import { settingsFingerprint } from '../session/session-settings.js';
import type { StreamLifecycle } from '../session-events.js';
import type { SonicStream } from '../stream/sonic-stream.js';
import { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';
import type { ContinuationHost, ContinuationOptions } from './continuation-host.js';
import { RenewalPolicy } from './renewal-policy.js';
import { ResumeState } from './resume-state.js';
import { RetryPolicy } from './retry-policy.js';
import { Watchdog } from './watchdog.js';

const TICK_MS = 100;

export class SessionContinuation {
  readonly #options: ContinuationOptions;
  readonly #host: ContinuationHost;
  readonly #conversation: Conversation;
  readonly #policy: RetryPolicy;
  readonly #audioBuffer: RollingAudioBuffer;
  readonly #watchdog = new Watchdog();
  readonly #renewal: RenewalPolicy;
  readonly #resume: ResumeState;
  #current?: StreamSession;
  #standby?: StreamSession;
  readonly #closing = new Set<Promise<void>>();
  #state: 'new' | 'on' | 'over' = 'new';
  #cancelRetry?: () => void;
  #cancelTick?: () => void;

  constructor(options: ContinuationOptions, conversation: Conversation, host: ContinuationHost) {
    this.#options = options;
    this.#conversation = conversation;
    this.#host = host;
    this.#policy = new RetryPolicy(options.regions, options.retry, options.random);
    this.#audioBuffer = new RollingAudioBuffer(options.audioBufferMs);
    this.#renewal = new RenewalPolicy(options.renewAfterMs);
    this.#resume = new ResumeState(options.history);
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
    this.#resume.save({ history: this.#conversation.snapshot(), audioFrom: 0 });
    this.#connect(this.#policy.pick(this.#now), 'start');
    this.#tick();
  }

  /** The caller's audio. Kept for a while, whatever the state of the stream. */
  audio(chunk: AudioChunk): void {
    if (this.#state === 'over') return;
    this.#audioBuffer.push(chunk);
    this.#watchdog.audio(chunk, this.#current !== undefined);
    this.#current?.audio(chunk, this.#now);
  }

  /** Forgets audio that was not sent yet. */
  clearAudio(): void {
    this.#audioBuffer.clear();
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
    this.#resume.addOrphanedToolResult(note);
    if (this.#current) this.#sendOrphanedToolResults(this.#current);
  }

  /**
   * Asks for a fresh stream: at the next quiet moment, or at once. Several requests make one renewal.
   * Resolves when the call has moved (or has ended).
   */
  renew(reason: string, options: { immediately?: boolean } = {}): Promise<void> {
    if (this.#state !== 'on') return Promise.resolve();
    const moved = this.#renewal.request(reason);
    if (options.immediately && this.#current) this.#replace(reason);
    return moved;
  }

  /** Takes back a request for a renewal that nobody needs any more; requests for other reasons stay. */
  cancelRenewal(reason: string): void {
    this.#renewal.cancel(reason);
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

  #open(region: string, reason: string, history: readonly HistoryEntry[]): StreamSession {
    const { config, instructions } = this.#host.settings();
    const id = this.#options.newId('stream_');
    const now = this.#now;
    this.#policy.connecting(now);
    this.#emitLifecycle('opening', { id, region }, { reason });
    let link: StreamSession | undefined;
    const stream = this.#options.openStream(id, region, {
      opened: (openMs) => this.#guard('opened', () => link && this.#opened(link, openMs)),
      received: (document) =>
        this.#guard('received', () => link && this.#received(link, document)),
      sent: (event) => this.#host.sent(event, id),
      ended: (error) => this.#guard('ended', () => link && this.#ended(link, error)),
    });
    const { limits } = this.#resume;
    link = new StreamSession(stream, new ClientEventSequencer(config), {
      settings: settingsFingerprint({ config, instructions }),
      version: this.#conversation.version,
      reason,
      limits,
      now,
    });
    link.open(instructions, toWireMessages(history, limits), now);
    return link;
  }

  /** What goes wrong with us when a stream calls or a timer runs has nobody to be thrown at. */
  #guard(where: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#host.internalError(error, where);
    }
  }

  /** Opens the call's stream; a call that cannot even try is over, never there and deaf. */
  #connect(region: string, reason: string): void {
    try {
      this.#tryConnect(region, reason);
    } catch (thrown) {
      const error = asError(thrown);
      this.#giveUp(`no stream could be opened: ${error.message}`, error, region);
    }
  }

  /** Tells the stream all it has to know; nothing waits for the connection. */
  #tryConnect(region: string, reason: string): void {
    const { plan, pendingPrompt: ask } = this.#resume;
    this.#watchdog.restart(this.#now);
    const link = this.#open(region, reason, plan?.history ?? this.#conversation.snapshot());
    this.#current = link;
    this.#replayAudio(link, plan?.audioFrom ?? this.#now);
    if (ask) {
      this.#sendText(link, ask);
      this.#conversation.requested(this.#now);
    }
    this.#sendOrphanedToolResults(link);
    this.#sendOpenRequests(link);
  }

  /** The new stream hears what the caller said from a moment on. */
  #replayAudio(link: StreamSession, from: number): void {
    for (const chunk of this.#audioBuffer.since(from)) link.audio(chunk, this.#now);
  }

  #opened(link: StreamSession, openMs: number): void {
    const { reason } = link;
    link.openedAt = this.#now;
    this.#emitLifecycle('opened', link.stream, { openMs, reason });
    if (link === this.#standby) this.#promote(link);
    else if (link === this.#current) {
      this.#resume.streamOpened(link);
      this.#policy.opened();
      if (reason === 'start') return;
      this.#emitLifecycle(reason === 'failure' ? 'failed_over' : 'renewed', link.stream, { reason });
      this.#host.reconnected();
      this.#renewal.resolveAll();
    }
  }

  #received(link: StreamSession, document: unknown): void {
    this.#host.received(document, link.stream.id);
    if (link !== this.#current || this.#state !== 'on') return;
    const now = this.#now;
    const event = parseServerEvent(document);
    if (event.type === 'toolUse') link.sequencer.toolUsed(event.toolUseId);
    const noticed = event.type === 'userSpeechStart' || event.type === 'text';
    if (noticed) link.lastActivityAt = now;
    this.#watchdog.event(now, noticed);
    const effects = this.#conversation.apply(event, {
      now,
      lastLoudAt: this.#watchdog.lastLoudAt,
      sampleAt: (offsetMs) => link.arrival(offsetMs),
    });
    if (effects.some((effect) => effect.type === 'generation_opened')) this.#resume.replyStarted();
    if (effects.some((e) => e.type === 'generation_closed' && e.reason === 'end_turn')) {
      this.#policy.healthy(link.stream.region);
      this.#resume.replyCompleted();
    }
    this.#host.effects(effects);
  }

  #ended(link: StreamSession, error?: NovaSonicError): void {
    const now = this.#now;
    const { reason } = link;
    const livedMs = link.openedAt === undefined ? 0 : Math.max(1, now - link.openedAt);
    if (!error) {
      this.#emitLifecycle('closed', link.stream, { livedMs, reason });
      return;
    }
    const type = error.kind === 'throttled' ? 'throttled' : 'failed';
    this.#emitLifecycle(type, link.stream, { reason, kind: error.kind, error: error.message, livedMs });
    if (link === this.#standby) {
      this.#standby = undefined;
      this.#renewal.failed(this.#policy.renewalFailed(link.stream.region, error, now), now);
    } else if (link === this.#current && this.#state === 'on')
      this.#lost(link, error, livedMs, now);
  }

  /** The stream of the call is gone. */
  #lost(link: StreamSession, error: NovaSonicError, livedMs: number, now: number): void {
    this.#current = undefined;
    this.#dropStandby();
    this.#saveResumePlan(now, error.kind === 'no_response' ? 'silence' : 'failure');
    const decision = this.#resume.degradeAfter(error, now)
      ? this.#policy.failed(link.stream.region, error, livedMs, now)
      : ({ type: 'give_up', why: 'the content filter stopped it again' } as const);
    if (decision.type === 'give_up') {
      this.#giveUp(`${decision.why}. Last: ${error.message}`, error, link.stream.region);
      return;
    }
    this.#host.failed(error, true);
    if (this.#state !== 'on') return;
    this.#cancelRetry = this.#options.clock.after(decision.delayMs, () => {
      this.#cancelRetry = undefined;
      this.#connect(decision.region, 'failure');
    });
  }

  #giveUp(why: string, cause: Error, region: string): void {
    const message = `The call cannot be served: ${why}`;
    this.#end('gave up');
    this.#host.failed(
      new NovaSonicError('gave_up', message, { retryable: false, cause, region }),
      false,
    );
  }

  /** What the next stream must know. */
  #saveResumePlan(now: number, cause: 'failure' | 'silence'): void {
    const { effects, plan } = this.#conversation.resume(now, cause);
    this.#resume.save(plan);
    this.#host.effects(effects);
  }

  // -- renewal -----------------------------------------------------------------------------------------------------

  /** Opens the stream that follows, beside the current one, which goes on serving meanwhile. */
  #openStandby(reason: string): void {
    const region = this.#policy.pick(this.#now);
    this.#standby = this.#open(region, reason, this.#conversation.snapshot());
  }

  /** The stream that stands by is up: the call moves there, unless something happened that it was not told. */
  #promote(link: StreamSession): void {
    this.#standby = undefined;
    const old = this.#current;
    const now = this.#now;
    const stale =
      link.version !== this.#conversation.version ||
      link.settings !== settingsFingerprint(this.#host.settings());
    if (stale || !old) {
      this.#retire(link);
      return;
    }
    const { effects, plan } = this.#conversation.resume(now, 'planned');
    this.#current = link;
    this.#renewal.moved(link.reason, old, link, now);
    this.#replayAudio(link, plan.audioFrom);
    this.#host.effects(effects);
    this.#retire(old);
    const livedMs = now - (old.openedAt ?? now);
    this.#emitLifecycle('renewed', link.stream, { reason: link.reason, livedMs });
    this.#sendOrphanedToolResults(link);
    this.#sendOpenRequests(link);
    this.#renewal.resolveAll();
    this.#host.reconnected();
  }

  /** Moves the call at once, whatever goes on; what is being said is carried over as after a failure. */
  #replace(reason: string): void {
    const old = this.#current;
    if (!old) return;
    this.#dropStandby();
    this.#current = undefined;
    this.#renewal.started();
    this.#saveResumePlan(this.#now, 'failure');
    this.#retire(old);
    this.#connect(this.#policy.pick(this.#now), reason);
  }

  #retire(link: StreamSession): void {
    const done = link.stream.close(link.sequencer.closing());
    this.#closing.add(done);
    void done.finally(() => this.#closing.delete(done));
  }

  #dropStandby(): void {
    const standby = this.#standby;
    this.#standby = undefined;
    if (standby) this.#retire(standby);
  }

  // -- writing -----------------------------------------------------------------------------------------------------

  #sendText(link: StreamSession, text: string): void {
    link.text(text, this.#watchdog.lastAudioAt, this.#now);
  }

  #sendOrphanedToolResults(link: StreamSession): void {
    const notes = this.#resume.takeOrphanedToolResults(link);
    if (notes === undefined) return;
    this.#sendText(link, notes);
    this.#conversation.requested(this.#now);
    if (link.openedAt !== undefined) this.#resume.confirmOrphanedToolResults(link);
  }

  #sendOpenRequests(link: StreamSession): void {
    for (const { id, text } of [...this.#conversation.unsentRequests]) {
      this.#sendText(link, text);
      this.#conversation.requestSent(id, this.#now);
    }
  }

  // -- watching ----------------------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#state !== 'on') return;
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => this.#tick());
    this.#guard('watching', () => this.#watch());
  }

  #watch(): void {
    const now = this.#now;
    this.#host.effects(this.#conversation.tick(now));
    const link = this.#current;
    if (!link) return;
    link.fillGap(this.#watchdog.lastAudioAt, now);
    const trouble = this.#watchdog.detectStall(link, this.#conversation, now, this.#options.progressMs);
    if (trouble) {
      link.stream.fail(trouble);
      return;
    }
    if (link.openedAt === undefined || this.#standby) return;
    const reason = this.#renewal.due(link, now);
    if (!reason) return;
    if (this.#renewal.overdue(link, now)) this.#replace(reason);
    else if (this.#conversation.quiet(now) && this.#watchdog.callerSilent(now)) this.#openStandby(reason);
  }

  #emitLifecycle(
    type: StreamLifecycle['type'],
    { id, region }: Pick<SonicStream, 'id' | 'region'>,
    more: Partial<StreamLifecycle>,
  ): void {
    this.#host.lifecycle({ ...more, type, streamId: id, region, at: this.#now });
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
    this.#audioBuffer.clear();
    this.#renewal.resolveAll();
  }
}
