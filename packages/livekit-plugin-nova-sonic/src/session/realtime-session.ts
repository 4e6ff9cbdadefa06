// SPDX-License-Identifier: Apache-2.0
import { llm, shortuuid } from '@livekit/agents';
import type { AudioFrame } from '@livekit/rtc-node';
import { AudioChunker } from '../audio/chunker.js';
import type { Clock } from '../clock.js';
import { SessionContinuation } from '../continuation/session-continuation.js';
import {
  diffChatContext,
  fromChatContext,
  type HistoryEntry,
  toChatContext,
} from '../history/chat-context.js';
import type { ResolvedOptions } from '../options.js';
import { asError, type NovaSonicError } from '../protocol/errors.js';
import type { RealtimeModel } from '../realtime-model.js';
import { createStreamClient } from '../stream/bedrock-client.js';
import { SonicStream } from '../stream/sonic-stream.js';
import { TrackedToolContext } from '../tools/tool-call-tracker.js';
import { ToolResultRouter } from '../tools/tool-result-router.js';
import { Conversation } from '../turns/conversation.js';
import { EffectHandler } from './effect-handler.js';
import { ReplyFutures } from './reply-futures.js';
import { responseMetrics } from './response-metrics.js';
import { SessionEmitter } from './session-emitter.js';
import { SessionSettings, type SessionOptions, settingsFingerprint } from './session-settings.js';

/** Why a stream is renewed whose instructions or tools are not the agent's any more. */
const SETTINGS_CHANGED = 'settings changed';

/**
 * One agent's conversation with Nova Sonic, over as many streams as it takes. LiveKit's side of the plugin: audio and
 * tool results in, generations and transcripts out. What to do is decided in `conversation.ts` and `continuity.ts`.
 *
 * Events: see `RealtimeSessionEvents`. No listener's exception ever stops the session.
 */
export class RealtimeSession extends llm.RealtimeSession {
  readonly #options: ResolvedOptions;
  readonly #model: RealtimeModel;
  readonly #clock: Clock;
  readonly #conversation: Conversation;
  readonly #continuation: SessionContinuation;
  readonly #chunker: AudioChunker;
  readonly #settings: SessionSettings;
  readonly #tools: ToolResultRouter;
  readonly #effects: EffectHandler;
  readonly #onClosed: () => void;
  readonly #replies: ReplyFutures;
  readonly #emitter: SessionEmitter;
  #typed: Array<Extract<HistoryEntry, { kind: 'user' }>> = [];
  #closed?: Promise<void>;

  /** @internal use `RealtimeModel.session()` */
  constructor(model: RealtimeModel, onClosed: () => void) {
    super(model);
    const options = model.options;
    this.#model = model;
    this.#options = options;
    this.#clock = options.clock;
    this.#onClosed = onClosed;
    this.#emitter = new SessionEmitter(this, this.logger, model.label(), options);
    this.#settings = new SessionSettings(options, (error) => {
      this.logger.error({ error }, 'a tool cannot be told to the model');
      this.#emitter.emitError(error, true);
    });
    this.#replies = new ReplyFutures(
      this.#clock,
      options.generateReplyTimeout,
      (id, drop) => this.#conversation.cancelRequest(id, drop),
      (error) => {
        this.logger.warn({ timeoutMs: options.generateReplyTimeout }, error.message);
        this.#emitter.emitError(error, true);
      },
    );
    this.#chunker = new AudioChunker(options.inputSampleRate, options.inputChunkMs);
    this.#conversation = new Conversation({
      newId: shortuuid,
      outputSampleRate: options.outputSampleRate,
      patienceMs: options.timeouts.progress + 2_000,
    });
    this.#tools = new ToolResultRouter(
      this.#clock,
      this.#conversation,
      () => this.#continuation,
      {
        started: (call) => this.#emitter.emit('tool_call_started', call),
        ended: (call) => this.#emitter.emit('tool_call_ended', call),
      },
      (callId) =>
        this.logger.debug({ callId }, 'a tool result that the framework dropped is delivered'),
    );
    this.#effects = new EffectHandler({
      model,
      emitter: this.#emitter,
      replies: this.#replies,
      tools: this.#tools,
      toolsForbidden: () => this.#settings.toolChoice === 'none',
      sentAt: (arrival) => this.#continuation.sentAt(arrival),
      onError: (error, effect) =>
        this.logger.error({ error, effect }, 'an event of the model could not be handled'),
    });
    this.#continuation = new SessionContinuation(
      {
        clock: this.#clock,
        random: Math.random,
        newId: shortuuid,
        regions: options.regions,
        retry: options.retry,
        history: options.history,
        renewAfterMs: options.renewAfterMs,
        audioBufferMs: options.audioBufferMs,
        progressMs: options.timeouts.progress,
        openStream: (id, region, sink) =>
          new SonicStream({
            id,
            region,
            sink,
            modelId: options.model,
            clock: this.#clock,
            connect: (where) => createStreamClient(options, where),
            firstEventMs: options.timeouts.firstEvent,
            writeStallMs: 5_000,
            closeMs: options.timeouts.close,
          }),
      },
      this.#conversation,
      {
        settings: () => this.#settings.stream,
        effects: (effects) => this.#effects.run(effects),
        lifecycle: (event) => {
          this.logger.debug(event, 'stream lifecycle');
          this.#emitter.emit('stream_lifecycle', event);
        },
        failed: (error, recoverable) => this.#failed(error, recoverable),
        reconnected: () => this.#emitter.emit('session_reconnected', {}),
        internalError: (error, where) => this.logger.error({ error, where }, 'the plugin made a mistake'),
        sent: (event, streamId) =>
          this.#emitter.emitBedrockEvent('bedrock_client_event_queued', event, streamId),
        received: (document, streamId) =>
          this.#emitter.emitBedrockEvent('bedrock_server_event_received', document, streamId),
      },
    );
  }

  // -- state -------------------------------------------------------------------------------------------------------

  /** The conversation so far: what was really spoken, once. A copy. */
  override get chatCtx(): llm.ChatContext {
    return toChatContext(this.#conversation.snapshot());
  }

  /** The tools as they are now; running one of them is watched, so that the model always gets an answer. */
  override get tools(): llm.ToolContext {
    return new TrackedToolContext(this.#settings.tools, this.#tools.calls);
  }

  /** A stream is up and takes audio. */
  get connected(): boolean {
    return this.#continuation.live;
  }

  // -- configuration -----------------------------------------------------------------------------------------------

  /** @internal the framework's one call that says that instructions, history and tools are all known */
  override async _updateSession(
    instructions?: string,
    chatCtx?: llm.ChatContext,
    tools?: llm.ToolContext,
  ): Promise<void> {
    await super._updateSession(instructions, chatCtx, tools);
    this.initializeStreams();
  }

  /**
   * Opens the first stream, or with `isRestart` moves the call to a fresh one at once. The framework does the first
   * by itself once instructions, history and tools are known.
   */
  initializeStreams(isRestart = false): void {
    if (this.#closed) return;
    if (!this.#continuation.started) this.#continuation.start();
    else if (isRestart) void this.#continuation.renew('restart', { immediately: true });
  }

  /**
   * Moves the call to a fresh stream: at the next quiet moment, or at once. Resolves when it has moved.
   */
  async renew(options: { immediately?: boolean } = {}): Promise<void> {
    await this.#continuation.renew('asked', options);
  }

  /** New instructions; in the middle of a call they take effect with a fresh stream at the next quiet moment. */
  override async updateInstructions(instructions: string): Promise<void> {
    this.#settings.instructions = instructions;
    this.#settingsChanged();
  }

  /**
   * New tools. Compared by name, description and schema; in the middle of a call they take effect with a fresh
   * stream after the current reply. Several changes at once make one.
   */
  override async updateTools(tools: llm.ToolContext): Promise<void> {
    this.#settings.tools = tools;
    this.#settingsChanged();
  }

  /**
   * Another tool choice, temperature, topP, maxTokens or turn detection takes effect at the next stream: Sonic takes
   * them only at the start of one.
   * @throws Error of one sentence when an option has a value that it cannot have
   */
  override updateOptions(options: SessionOptions): void {
    if (this.#settings.update(options) && this.#continuation.started) {
      this.#emitter.warnOnce(
        'Sonic takes options only at the start of a stream: a change takes effect at the next one',
      );
    }
  }

  /**
   * Compares a context with ours by ids. Tool results go to the model; user messages at the end wait for
   * `generateReply`; a changed past is told to the next stream (or to a fresh one, see `contextEdits`). Nothing that
   * was said is ever sent as new input.
   */
  override async updateChatCtx(chatCtx: llm.ChatContext): Promise<void> {
    const { history } = this.#conversation;
    if (!this.#continuation.started) {
      history.replace(fromChatContext(chatCtx));
      return;
    }
    const edits = diffChatContext(
      history.entries,
      chatCtx,
      (callId) => this.#tools.calls.nameOf(callId) !== undefined,
    );
    if (edits.changed) history.replace(edits.entries);
    for (const entry of edits.typed) {
      this.#typed.push(entry);
      history.add(entry);
    }
    for (const result of edits.results) this.#tools.deliver(result);
    if (!edits.changed) return;
    if (this.#options.chatCtxUpdates === 'renew') void this.#continuation.renew('context edited');
    else
      this.#emitter.warnOnce(
        'Sonic takes a changed history only at the start of a stream: it is told to the next one',
      );
  }

  // -- audio -------------------------------------------------------------------------------------------------------

  /** The caller's audio, any rate and number of channels. Never throws: an exception would silence the call. */
  override pushAudio(frame: AudioFrame): void {
    if (this.#closed) return;
    try {
      for (const chunk of this.#chunker.push(frame, this.#clock.now()))
        this.#continuation.audio(chunk);
    } catch (error) {
      this.#emitter.warnOnce('a frame of audio could not be sent', asError(error));
    }
  }

  /** Sonic takes no video; said once. LiveKit for TypeScript has no such member, the Python one does. */
  pushVideo(_frame: unknown): void {
    this.#emitter.warnOnce('Sonic takes no video: it is left out');
  }

  /** Sends what is left in the buffer. The end of a turn is decided by Sonic itself. */
  override async commitAudio(): Promise<void> {
    if (this.#closed) return;
    for (const chunk of this.#chunker.flush(this.#clock.now())) this.#continuation.audio(chunk);
  }

  /** Forgets audio that was not sent yet; what Sonic has heard it has heard. */
  override async clearAudio(): Promise<void> {
    this.#chunker.clear();
    this.#continuation.clearAudio();
  }

  // -- replies -----------------------------------------------------------------------------------------------------

  /**
   * Asks for a reply to the instructions and to the user's typed messages that `updateChatCtx` brought.
   * Resolves when the reply begins.
   * @throws RealtimeError when there is nothing to reply to, when the model takes no text, when the reply does not
   * begin within `generateReplyTimeout`, when `signal` is aborted, and when the session is closed
   */
  override generateReply(
    instructions?: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<llm.GenerationCreatedEvent> {
    const typed = this.#typed;
    this.#typed = [];
    const words = [instructions?.trim(), ...typed.map((entry) => entry.text)]
      .filter(Boolean)
      .join('\n');
    const refusal = this.#rejectionReason(words);
    if (refusal) return this.#reject(refusal);

    const id = typed.at(-1)?.id ?? shortuuid('item_');
    const entry: HistoryEntry | undefined =
      typed.length > 0
        ? undefined
        : { kind: 'instruction', id, at: this.#clock.now(), text: words };
    return this.#replies.wait(id, options.signal, () => {
      this.#conversation.request(id, words, entry);
      this.#continuation.sendRequests();
    });
  }

  /** Stops the reply: the rest of it goes to nobody, the next one is heard. Does nothing when nothing is spoken. */
  override async interrupt(): Promise<void> {
    this.#effects.run(this.#conversation.interrupt(this.#clock.now()));
    this.#tools.calls.interrupted();
  }

  /** Sonic keeps its own record of what was spoken (its FINAL texts), so there is nothing to cut. Never rejects. */
  override async truncate(_options: {
    messageId: string;
    audioEndMs: number;
    modalities?: ('text' | 'audio')[];
    audioTranscript?: string;
  }): Promise<void> {
    this.#emitter.warnOnce('Sonic keeps its own record of what was spoken: truncate has nothing to do');
  }

  /** Ends the session at any moment, in order where a stream is up. Resolves when no stream or timer is left. */
  override close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#settings.close();
    this.#tools.calls.close();
    this.#replies.rejectAll(new llm.RealtimeError('the session was closed'));
    const { effects, leftover } = this.#conversation.end(this.#clock.now());
    this.#effects.run(effects);
    const total =
      leftover.inputAudio + leftover.inputText + leftover.outputAudio + leftover.outputText;
    if (total > 0)
      this.#emitter.emit(
        'metrics_collected',
        responseMetrics(this.#model, undefined, leftover, this.#clock.now()),
      );
    try {
      await Promise.all([this.#continuation.close(), super.close()]);
    } catch (error) {
      this.logger.warn({ error }, 'the session did not close cleanly');
    }
    this.#chunker.close();
    this.#onClosed();
  }

  // -- changes, refusals and failures ------------------------------------------------------------------------------

  #settingsChanged(): void {
    if (!this.#continuation.started || this.#closed) return;
    this.#settings.debounce(() => {
      const current = this.#continuation.settings;
      if (current === undefined) return;
      const same = current === settingsFingerprint(this.#settings.stream);
      if (same) this.#continuation.cancelRenewal(SETTINGS_CHANGED);
      else void this.#continuation.renew(SETTINGS_CHANGED);
    });
  }

  #rejectionReason(words: string): string | undefined {
    if (this.#closed) return 'the session is closed';
    if (this.#options.modalities === 'audio') {
      return `${this.#options.model} with modalities 'audio' takes no text: the caller must speak first`;
    }
    if (!words)
      return 'generateReply() needs words: pass instructions or userInput, Sonic answers nothing else';
    return undefined;
  }

  /** The framework swallows a rejection without a word, so it is logged and told here. */
  #reject(message: string): Promise<never> {
    const error = new llm.RealtimeError(message);
    this.logger.error({ error: message }, 'generateReply was refused');
    if (!this.#closed) this.#emitter.emitError(error, true);
    return Promise.reject(error);
  }

  #failed(error: NovaSonicError, recoverable: boolean): void {
    const fields = { kind: error.kind, region: error.region, 'lk.pii.error': error.message };
    if (recoverable) this.logger.warn(fields, 'a stream failed, the call goes on');
    else {
      this.logger.error(fields, 'the call cannot be served and ends');
      this.#replies.rejectAll(new llm.RealtimeError(error.message));
    }
    this.#emitter.emitError(error, recoverable);
  }
}
