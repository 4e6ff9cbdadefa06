// SPDX-License-Identifier: Apache-2.0
// Long because every transition between the states of one call is here.
/**
 * Keeps one call alive across many streams: a stream lives 8 minutes at most and may fail at any moment, the call
 * continues. Renewal at quiet moments, retry, failover to other lanes, replay of the caller's audio. Decides when a
 * stream is opened and closed; `StreamWriter` decides what is written to it and `SonicStream` does the I/O. Clock,
 * randomness and streams are passed in.
 */
import type { AudioChunk } from '../audio/chunker.js';
import { RollingAudioBuffer } from '../audio/rolling-buffer.js';
import type { HistoryEntry } from '../history/entries.js';
import { systemText, toWireMessages } from '../history/wire-messages.js';
import type { NamedLane } from '../lanes.js';
import { ClientEventSequencer } from '../protocol/client-event-sequencer.js';
import { asError, NovaSonicError } from '../protocol/errors.js';
import { parseServerEvent } from '../protocol/server-events.js';
import { settingsFingerprint } from '../protocol/session-config.js';
import type { StreamLifecycle } from '../session-events.js';
import type { SonicStream } from '../stream/sonic-stream.js';
import { StreamSession } from '../stream/stream-session.js';
import type { Conversation } from '../turns/conversation.js';
import type { Effect, EventTiming } from '../turns/effects.js';
import type { ContinuationHost, ContinuationOptions, StreamPlace } from './continuation-host.js';
import type { Suspicion } from './deaf-stream-detector.js';
import { inTurn } from './in-turn.js';
import { RenewalPolicy } from './renewal-policy.js';
import { ResumeState } from './resume-state.js';
import { RetryPolicy } from './retry-policy.js';
import { StreamWatch } from './stream-watch.js';
import { StreamWriter } from './stream-writer.js';

const TICK_MS = 100;

type State =
  /** No stream was opened yet. */
  | { readonly type: 'idle' }
  /** The call's stream was opened and the service has not answered yet. */
  | { readonly type: 'connecting'; readonly stream: StreamSession }
  /** The call's stream is up; `standby` is the one that will replace it. */
  | { readonly type: 'live'; readonly stream: StreamSession; readonly standby?: Standby }
  /** Between two streams; `cancel` cancels the next attempt. */
  | { readonly type: 'waiting'; readonly cancel?: () => void }
  | { readonly type: 'ended' };

interface Standby {
  readonly stream: StreamSession;
  /** It was opened because the current one may be deaf. */
  readonly suspicion?: Suspicion;
}

export class SessionContinuation {
  readonly #options: ContinuationOptions;
  readonly #host: ContinuationHost;
  readonly #conversation: Conversation;
  readonly #retry: RetryPolicy;
  readonly #renewal: RenewalPolicy;
  readonly #resume: ResumeState;
  readonly #audioBuffer: RollingAudioBuffer;
  readonly #streamWatch: StreamWatch;
  #lastAudioAt = 0;
  readonly #writer: StreamWriter;
  readonly #closing = new Set<Promise<void>>();
  #state: State = { type: 'idle' };
  #cancelTick?: () => void;
  #firstOpenedAt?: number;

  constructor(options: ContinuationOptions, conversation: Conversation, host: ContinuationHost) {
    this.#options = options;
    this.#conversation = conversation;
    this.#host = host;
    this.#retry = new RetryPolicy(
      options.lanes.map(({ name }) => name),
      options.retry,
      options.random,
    );
    this.#renewal = new RenewalPolicy(options.renewAfterMs);
    this.#resume = new ResumeState(options.history);
    this.#audioBuffer = new RollingAudioBuffer(options.audioBufferMs);
    const { voice, progressMs } = options;
    this.#streamWatch = new StreamWatch(conversation, this.#renewal, voice, progressMs);
    this.#writer = new StreamWriter({
      clock: options.clock,
      conversation,
      resume: this.#resume,
      audioBuffer: this.#audioBuffer,
      lastAudioAt: () => this.#lastAudioAt,
    });
  }

  get started(): boolean {
    return this.#state.type !== 'idle';
  }

  /** True while a stream is up and takes audio. */
  get live(): boolean {
    return this.#current?.stream.live ?? false;
  }

  /** Since when a reply can be expected: from the first stream, for which one waits before (ms). */
  get readyAt(): number {
    return this.#firstOpenedAt ?? (this.started && !this.#ended ? this.#now : 0);
  }

  /** The fingerprint of the settings that the current stream was opened with. */
  get settings(): string | undefined {
    return this.#current?.settings;
  }

  /** The version of the conversation that the current stream's history has. */
  get version(): number | undefined {
    return this.#current?.version;
  }

  /** Opens the first stream. */
  start(): void {
    if (this.started) return;
    this.#state = { type: 'waiting' };
    this.#resume.save({ history: this.#conversation.snapshot(), audioFrom: 0 });
    this.#connectInTurn(false, 'start');
    this.#tick();
  }

  /** Sends the caller's audio and buffers it for a stream that may have to be replaced. */
  audio(chunk: AudioChunk): void {
    if (this.#ended) return;
    this.#audioBuffer.push(chunk);
    this.#lastAudioAt = chunk.at;
    this.#options.voice.push(chunk);
    this.#current?.audio(chunk, this.#now);
  }

  /** Discards the buffered audio. */
  clearAudio(): void {
    this.#audioBuffer.clear();
  }

  /** Sends the texts of requested replies that were not sent yet. */
  sendRequests(): void {
    if (this.#current) this.#writer.sendRequests(this.#current);
  }

  /** Sends a tool's result: to the stream that asked for it, or as text (`note`) when that stream is gone. */
  toolResult(callId: string, content: string, note: string): void {
    if (!this.#ended) this.#writer.toolResult(this.#current, callId, content, note);
  }

  /** Hands effects of the conversation to the host, with what only the current stream knows: when audio was sent. */
  dispatch(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.type !== 'generation_closed') continue;
      const { userSpeechEndedAt } = effect.response;
      if (userSpeechEndedAt !== undefined)
        effect.response.userSpeechSentAt = this.#current?.sentAt(userSpeechEndedAt);
    }
    this.#host.effects(effects);
  }

  /**
   * Requests a new stream, at the next quiet moment or `immediately`. Several requests make one renewal.
   * Resolves when the call has moved, or has ended.
   */
  renew(reason: string, options: { immediately?: boolean } = {}): Promise<void> {
    if (!this.started || this.#ended) return Promise.resolve();
    const moved = this.#renewal.request(reason);
    if (options.immediately && this.#current) this.#replace(reason);
    return moved;
  }

  /** Withdraws the requests for a renewal that have this reason. */
  cancelRenewal(reason: string): void {
    this.#renewal.cancel(reason);
  }

  /** Ends everything, in order. Resolves when nothing is left. */
  async close(reason = 'closed'): Promise<void> {
    if (!this.#ended) this.#end(reason);
    await Promise.all(this.#closing);
  }

  get #now(): number {
    return this.#options.clock.now();
  }

  get #ended(): boolean {
    return this.#state.type === 'ended';
  }

  /** The stream that the call is on. */
  get #current(): StreamSession | undefined {
    return 'stream' in this.#state ? this.#state.stream : undefined;
  }

  get #standby(): Standby | undefined {
    return this.#state.type === 'live' ? this.#state.standby : undefined;
  }

  // -- connecting --------------------------------------------------------------------------------------------------

  #open(laneName: string, reason: string, history: readonly HistoryEntry[]): StreamSession {
    const { config, instructions } = this.#host.settings();
    const id = this.#options.newId('stream_');
    const lane = this.#options.lanes.find(({ name }) => name === laneName) as NamedLane;
    const place = { id, region: lane.region, lane: lane.name };
    const now = this.#now;
    this.#retry.connecting(now);
    this.#emitLifecycle('opening', place, { reason });
    let session: StreamSession | undefined;
    const guard = (where: string, run: (session: StreamSession) => void) =>
      this.#guard(where, () => session && run(session));
    const stream = this.#options.openStream(id, lane, {
      opened: (openMs) => guard('opened', (s) => this.#onOpened(s, openMs)),
      received: (document) => guard('received', (s) => this.#onReceived(s, document)),
      sent: (event) => this.#host.sent(event, id),
      ended: (error) => guard('ended', (s) => this.#onEnded(s, error)),
      closing: () => session?.sequencer.closing() ?? [],
      cut: () => this.#host.cut(place),
    });
    const { limits } = this.#resume;
    session = new StreamSession(stream, new ClientEventSequencer(config), {
      settings: settingsFingerprint({ config, instructions }),
      version: this.#conversation.version,
      reason,
      limits,
      now,
    });
    session.open(systemText(instructions, history), toWireMessages(history, limits), now);
    return session;
  }

  /** Streams and timers have no caller to which an exception could be thrown. */
  #guard(where: string, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#host.internalError(error, where);
    }
  }

  /** Opens the call's stream when it is its turn among those that wait for one, at the latest when it has waited long enough. */
  #connectInTurn(refused: boolean, reason: string): void {
    const { clock, retry } = this.#options;
    const connect = () => this.#connect(this.#retry.pick(this.#now, refused), reason);
    const turn = retry.turn?.(refused);
    if (!turn) {
      connect();
      return;
    }
    const cancel = inTurn(clock, turn, this.#retry.waitLeft(this.#now), connect);
    this.#state = { type: 'waiting', cancel };
  }

  /** Opens the call's stream. When even that throws the call ends, instead of staying silent. */
  #connect(lane: string, reason: string): void {
    try {
      this.#streamWatch.restart(this.#now);
      const history = this.#resume.plan?.history ?? this.#conversation.snapshot();
      const stream = this.#open(lane, reason, history);
      // A listener of `stream_lifecycle` may have closed the session meanwhile.
      if (this.#ended) {
        this.#retire(stream);
        return;
      }
      this.#state = { type: 'connecting', stream };
      this.#writer.open(stream);
    } catch (thrown) {
      const error = asError(thrown);
      this.#giveUp(`no stream could be opened: ${error.message}`, error);
    }
  }

  #onOpened(session: StreamSession, openMs: number): void {
    const { reason, stream } = session;
    session.openedAt = this.#now;
    const current = session === this.#current;
    if (current) {
      this.#state = { type: 'live', stream: session };
      this.#streamWatch.restart(session.openedAt);
    }
    this.#emitLifecycle('opened', stream, { openMs, reason });
    const standby = this.#standby;
    if (session === standby?.stream) this.#promote(standby);
    else if (session === this.#current) {
      this.#resume.streamOpened(session);
      this.#retry.opened();
      this.#firstOpenedAt ??= this.#now;
      if (reason === 'start') return;
      this.#emitLifecycle(reason === 'failure' ? 'failed_over' : 'renewed', stream, { reason });
      this.#host.reconnected();
      this.#renewal.resolveAll();
    }
  }

  #onReceived(session: StreamSession, document: unknown): void {
    this.#host.received(document, session.stream.id);
    if (session !== this.#current) return;
    const now = this.#now;
    const parsed = parseServerEvent(document);
    const event =
      parsed.type === 'toolUse' ? { ...parsed, name: this.#host.toolName(parsed.name) } : parsed;
    if (event.type === 'toolUse') session.sequencer.toolUsed(event.toolUseId);
    // Noise may be taken for speech, too: only words show that the stream is used.
    if (event.type === 'text') session.lastActivityAt = now;
    const timing: EventTiming = {
      now,
      lastVoiceAt: this.#options.voice.lastAt,
      sampleAt: (offsetMs) => session.arrival(offsetMs),
      sentAt: (offsetMs) => session.sent(offsetMs),
    };
    const effects = this.#conversation.apply(event, timing);
    this.#streamWatch.observe(event, effects, timing);
    if (effects.some((e) => e.type === 'generation_closed' && e.reason === 'end_turn')) {
      this.#retry.healthy(session.stream.lane);
      this.#resume.replyCompleted();
    }
    this.dispatch(effects);
  }

  #onEnded(session: StreamSession, error?: NovaSonicError): void {
    const now = this.#now;
    const { reason, stream } = session;
    this.#awaitEnd(stream);
    const livedMs = session.openedAt === undefined ? 0 : Math.max(1, now - session.openedAt);
    if (!error) {
      this.#emitLifecycle('closed', stream, { livedMs, reason });
      return;
    }
    const type = error.kind === 'throttled' ? 'throttled' : 'failed';
    this.#emitLifecycle(type, stream, { reason, kind: error.kind, error: error.message, livedMs });
    if (session === this.#standby?.stream) {
      this.#setStandby(undefined);
      this.#streamWatch.standbyFailed(this.#retry.renewalFailed(stream.lane, error, now), now);
    } else if (session === this.#current) this.#onLost(session, error, livedMs, now);
  }

  /** The call's stream failed: what it had is saved for the next one, which is opened after a while or never. */
  #onLost(session: StreamSession, error: NovaSonicError, livedMs: number, now: number): void {
    const { lane, region } = session.stream;
    this.#leave();
    this.#saveResumePlan(now, error.kind === 'no_response' ? 'silence' : 'failure');
    if (error.kind === 'content_filtered') this.#conversation.forgetLost();
    const decision = this.#resume.degradeAfter(error, now)
      ? this.#retry.failed(lane, error, livedMs, now)
      : ({ type: 'give_up', why: 'the content filter stopped it again' } as const);
    if (decision.type === 'give_up') {
      this.#giveUp(`${decision.why}. Last: ${error.message}`, error, region);
      return;
    }
    // While a call waits for a lane, each refusal is one of many that change nothing.
    if (decision.waits !== 'goes on') this.#host.failed(error, true);
    if (this.#ended) return;
    const cancel = this.#options.clock.after(decision.delayMs, () =>
      decision.waits
        ? this.#connectInTurn(true, 'failure')
        : this.#connect(decision.lane, 'failure'),
    );
    this.#state = { type: 'waiting', cancel };
  }

  #giveUp(why: string, cause: Error, region?: string): void {
    const message = `The call cannot be served: ${why}`;
    this.#end('gave up');
    this.#host.failed(
      new NovaSonicError('gave_up', message, { retryable: false, cause, region }),
      false,
    );
  }

  /** Closes what is open in the conversation and saves what the next stream must know. */
  #saveResumePlan(now: number, cause: 'failure' | 'silence'): void {
    const { orphanedCalls } = this.#resume;
    const from = this.#streamWatch.lostSpeech(now);
    const { effects, plan } = this.#conversation.resume(now, cause, from, orphanedCalls);
    this.#resume.save(plan);
    this.dispatch(effects);
  }

  // -- renewal -----------------------------------------------------------------------------------------------------

  /** Opens the next stream beside the current one, which serves the call meanwhile. */
  #openStandby(reason: string, suspicion?: Suspicion): void {
    const lane = this.#retry.pick(this.#now);
    const history = this.#conversation.openEnded(this.#now, this.#resume.orphanedCalls);
    const stream = this.#open(lane, reason, history);
    this.#setStandby({ stream, suspicion });
  }

  #setStandby(standby: Standby | undefined): void {
    if (this.#state.type === 'live') this.#state = { ...this.#state, standby };
    else if (standby) this.#retire(standby.stream);
  }

  /** The standby is up: the call moves there, unless something happened that the standby does not know. */
  #promote({ stream: standby, suspicion }: Standby): void {
    this.#setStandby(undefined);
    const old = this.#current;
    const now = this.#now;
    const stale =
      standby.version !== this.#conversation.version ||
      standby.settings !== settingsFingerprint(this.#host.settings()) ||
      (suspicion && this.#streamWatch.refuted(suspicion));
    if (stale || !old) {
      this.#retire(standby);
      return;
    }
    const { cause = 'planned', from = this.#streamWatch.unheardSpeech(now) } = suspicion ?? {};
    const { effects, plan } = this.#conversation.resume(now, cause, from);
    this.#state = { type: 'live', stream: standby };
    this.#renewal.moved(standby.reason, old, standby, now);
    this.#streamWatch.restart(now, suspicion);
    this.#writer.replayAudio(standby, plan.audioFrom);
    this.dispatch(effects);
    this.#retire(old);
    const livedMs = now - (old.openedAt ?? now);
    this.#emitLifecycle('renewed', standby.stream, { reason: standby.reason, livedMs });
    this.#writer.catchUp(standby);
    this.#renewal.resolveAll();
    this.#host.reconnected();
  }

  /** Moves the call at once; what is being said is replayed as after a failure. */
  #replace(reason: string): void {
    const old = this.#current;
    if (!old) return;
    this.#leave();
    this.#renewal.started();
    this.#saveResumePlan(this.#now, 'failure');
    this.#retire(old);
    this.#connect(this.#retry.pick(this.#now), reason);
  }

  /** The call leaves its stream, and the standby is not needed any more. */
  #leave(): void {
    const standby = this.#standby;
    this.#state = { type: 'waiting' };
    if (standby) this.#retire(standby.stream);
  }

  #retire({ stream }: StreamSession): void {
    void stream.close();
    this.#awaitEnd(stream);
  }

  /** The end of the call waits for what is left of a stream. */
  #awaitEnd({ done }: SonicStream): void {
    this.#closing.add(done);
    void done.finally(() => this.#closing.delete(done));
  }

  // -- watching ----------------------------------------------------------------------------------------------------

  #tick(): void {
    if (this.#ended) return;
    this.#cancelTick = this.#options.clock.after(TICK_MS, () => this.#tick());
    this.#guard('watching', () => this.#watch());
  }

  #watch(): void {
    const now = this.#now;
    this.dispatch(this.#conversation.tick(now, this.#options.voice.lastAt));
    const session = this.#current;
    if (!session) return;
    session.fillGap(this.#lastAudioAt, now);
    this.#writer.askLost(session);
    const stall = this.#streamWatch.stall(session, now);
    if (stall) session.stream.fail(stall);
    else if (this.#state.type === 'live' && !this.#state.standby) {
      const found = this.#streamWatch.inspect(session, now);
      if (found?.type === 'suspected') this.#openStandby(found.suspicion.reason, found.suspicion);
      else if (found?.type === 'falsely_interrupted') this.#writer.resumeReply(session);
      else if (found?.how === 'beside') this.#openStandby(found.reason);
      else if (found) this.#replace(found.reason);
    }
  }

  #emitLifecycle(
    type: StreamLifecycle['type'],
    { id, region, lane }: StreamPlace,
    more: Partial<StreamLifecycle>,
  ): void {
    this.#host.lifecycle({ ...more, type, streamId: id, region, lane, at: this.#now });
  }

  #end(reason: string): void {
    const state = this.#state;
    const current = this.#current;
    const standby = this.#standby;
    this.#state = { type: 'ended' };
    if (state.type === 'waiting') state.cancel?.();
    this.#cancelTick?.();
    if (standby) this.#retire(standby.stream);
    if (current) {
      current.reason = reason;
      this.#retire(current);
    }
    this.#audioBuffer.clear();
    this.#renewal.resolveAll();
  }
}
