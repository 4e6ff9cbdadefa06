// SPDX-License-Identifier: Apache-2.0
// Long because it has every member of LiveKit's RealtimeSession with its documentation.
import { llm, shortuuid } from '@livekit/agents';
import type { AudioFrame } from '@livekit/rtc-node';
import type { AudioChunker } from '../audio/chunker.js';
import type { SessionContinuation } from '../continuation/session-continuation.js';
import {
  diffChatContext,
  fromChatContext,
  toChatContext,
  unsupportedContent,
} from '../history/chat-context.js';
import type { HistoryEntry, ToolResultEntry } from '../history/entries.js';
import type { ResolvedOptions } from '../options.js';
import { asError } from '../protocol/errors.js';
import { settingsFingerprint } from '../protocol/session-config.js';
import type { RealtimeSessionEvents } from '../session-events.js';
import { TrackedToolContext } from '../tools/tool-call-tracker.js';
import type { ToolResultRouter } from '../tools/tool-result-router.js';
import type { Conversation } from '../turns/conversation.js';
import { AddedMessages } from './added-messages.js';
import { createSessionParts } from './create-session-parts.js';
import type { ReplyFutures } from './reply-futures.js';
import { responseMetrics } from './response-metrics.js';
import type { SessionEmitter } from './session-emitter.js';
import type { SessionFamily } from './session-family.js';
import type { SessionOptions, SessionSettings } from './session-settings.js';

/** Reason of a renewal that applies an edited past. */
const CONTEXT_CHANGED = 'chat context updated';
/** The same for a message that was added, unless a reply to it is requested first. */
const MESSAGE_ADDED = 'message added';
/** Reason of a renewal that applies new instructions or tools. */
const SETTINGS_CHANGED = 'settings changed';

/**
 * One agent's conversation with Nova Sonic, over as many streams as it takes. The LiveKit side of the plugin: audio and
 * tool results in, generations and transcripts out. The decisions are made in `turns/` and `continuation/`.
 *
 * Events: see `RealtimeSessionEvents`. Exceptions of listeners are logged and ignored.
 */
export class RealtimeSession extends llm.RealtimeSession {
  readonly #options: ResolvedOptions;
  readonly #family: SessionFamily<RealtimeSession>;
  readonly #emitter: SessionEmitter;
  readonly #settings: SessionSettings;
  readonly #chunker: AudioChunker;
  readonly #conversation: Conversation;
  readonly #replies: ReplyFutures;
  readonly #tools: ToolResultRouter;
  readonly #continuation: SessionContinuation;
  readonly #added = new AddedMessages();
  #closed?: Promise<void>;

  /** Adds a listener for one of LiveKit's events or ours, see `RealtimeSessionEvents`. */
  override on<K extends keyof RealtimeSessionEvents>(
    event: K,
    listener: (payload: RealtimeSessionEvents[K]) => void,
  ): this;
  override on(event: string | symbol, listener: (...args: never[]) => void): this;
  override on(event: string | symbol, listener: (...args: never[]) => void): this {
    return super.on(event, listener as (...args: unknown[]) => void);
  }

  /** @internal use `RealtimeModel.session()` */
  constructor(
    model: llm.RealtimeModel,
    options: ResolvedOptions,
    family: SessionFamily<RealtimeSession>,
  ) {
    super(model);
    this.#options = options;
    this.#family = family;
    family.open.add(this);
    const parts = createSessionParts(this, model, this.logger, options);
    this.#emitter = parts.emitter;
    this.#settings = parts.settings;
    this.#chunker = parts.chunker;
    this.#conversation = parts.conversation;
    this.#replies = parts.replies;
    this.#tools = parts.tools;
    this.#continuation = parts.continuation;
  }

  // -- state -------------------------------------------------------------------------------------------------------

  /** A copy of the conversation so far, each sentence once, as it was spoken. */
  override get chatCtx(): llm.ChatContext {
    return toChatContext(this.#conversation.history.entries);
  }

  /** The current tools. Running one of them is tracked, so that the model always gets an answer. */
  override get tools(): llm.ToolContext {
    return new TrackedToolContext(this.#settings.tools, this.#tools.calls);
  }

  /** True while a stream is open and takes audio. */
  get connected(): boolean {
    return this.#continuation.live;
  }

  // -- configuration -----------------------------------------------------------------------------------------------

  /** @internal The framework calls it once instructions, history and tools are all known. */
  override async _updateSession(
    instructions?: string,
    chatCtx?: llm.ChatContext,
    tools?: llm.ToolContext,
  ): Promise<void> {
    await super._updateSession(instructions, chatCtx, tools);
    this.initializeStreams();
  }

  /**
   * Opens the first stream, or with `isRestart` moves the call to a new one at once. The framework opens the first
   * stream itself once instructions, history and tools are known.
   */
  initializeStreams(isRestart = false): void {
    if (this.#closed) return;
    if (!this.#continuation.started) this.#continuation.start();
    else if (isRestart) void this.#continuation.renew('restart', { immediately: true });
  }

  /**
   * Moves the call to a new stream, at the next quiet moment or `immediately`. Resolves when it has moved.
   */
  async renew(options: { immediately?: boolean } = {}): Promise<void> {
    await this.#continuation.renew('requested', options);
  }

  /** Sets the instructions. During a call they take effect on a new stream, at the next quiet moment. */
  override async updateInstructions(instructions: string): Promise<void> {
    this.#settings.instructions = instructions;
    this.#settingsChanged();
  }

  /**
   * Sets the tools, compared by name, description and schema. During a call they take effect on a new stream, after the
   * current reply. Several changes in a row make one renewal.
   */
  override async updateTools(tools: llm.ToolContext): Promise<void> {
    for (const { id } of tools.providerTools)
      this.#emitter.warnOnce(`Sonic has no provider tools: ${id} is left out`);
    this.#settings.tools = tools;
    this.#settingsChanged();
  }

  /**
   * Sets voice, tool choice, temperature, topP, maxTokens or turn detection for the next stream: Sonic reads them only at the
   * start of a stream.
   * @throws Error of one sentence that names the invalid option, its value and what is allowed
   */
  override updateOptions(options: SessionOptions): void {
    const changed = this.#settings.update(options);
    if (!this.#continuation.started) return;
    // The choice of one reply ends with it, also on a stream that was opened meanwhile.
    if ('toolChoice' in options && this.#settings.toolChoiceEnded)
      this.#settingsChanged(() => this.#settings.toolChoiceEnded);
    else if (changed) {
      this.#emitter.warnOnce(
        'Sonic reads options only at the start of a stream: the change takes effect on the next one',
      );
    }
  }

  /**
   * Compares a context with the history by ids. Tool results go to the model; messages at the end (of the user, system or
   * developer) reach the model with the next `generateReply` or the next stream, whichever comes first; an edited past reaches
   * the next stream (or a new one, see `chatCtxUpdates`). System and developer messages are part of a stream's system
   * text. What was said already is never sent as new input. Images are left out, with one warning.
   */
  override async updateChatCtx(chatCtx: llm.ChatContext): Promise<void> {
    const { history } = this.#conversation;
    if (this.#closed) {
      for (const entry of fromChatContext(chatCtx))
        if (entry.kind === 'tool_result') this.#family.deliver(entry);
      return;
    }
    for (const what of unsupportedContent(chatCtx))
      this.#emitter.warnOnce(`Sonic takes no ${what}: they are left out of the conversation`);
    if (!this.#continuation.started) {
      const entries = fromChatContext(chatCtx);
      history.replace(entries);
      for (const entry of entries) if (entry.kind === 'tool_call') this.#adopt(entry.callId);
      return;
    }
    const diff = diffChatContext(
      history.entries,
      chatCtx,
      (callId) => this.#tools.calls.nameOf(callId) !== undefined,
    );
    if (diff.changed) history.replace(diff.entries);
    for (const entry of diff.typed) {
      this.#conversation.added(entry);
      this.#added.add(entry, this.#conversation.version);
    }
    for (const result of diff.results) this.#tools.deliver(result);
    if (this.#options.chatCtxUpdates === 'renew') {
      if (diff.changed || diff.typed.length > 0)
        void this.#continuation.renew(diff.changed ? CONTEXT_CHANGED : MESSAGE_ADDED);
    } else if (diff.changed)
      this.#emitter.warnOnce(
        'Sonic reads the history only at the start of a stream: the edit takes effect on the next one',
      );
  }

  /** A call that is in the history without a result, and whose tool still runs. */
  #adopt(callId: string): void {
    const call = this.#family.adopt(callId);
    if (!call) return;
    this.#tools.calls.adopt(call);
    this.#conversation.toolAdopted(callId, call.name, call.since);
  }

  /** @internal Takes the result of a call that an earlier session made. */
  takeResult(result: ToolResultEntry): boolean {
    if (this.#closed || this.#tools.calls.nameOf(result.callId) === undefined) return false;
    this.#tools.deliver(result);
    return true;
  }

  // -- audio -------------------------------------------------------------------------------------------------------

  /** Sends the caller's audio, of any rate and number of channels. Never throws: an exception would silence the call. */
  override pushAudio(frame: AudioFrame): void {
    if (this.#closed) return;
    try {
      for (const chunk of this.#chunker.push(frame, this.#options.clock.now()))
        this.#continuation.audio(chunk);
    } catch (error) {
      this.#emitter.warnOnce('audio frame could not be sent', asError(error));
    }
  }

  /** Ignored: Sonic takes no video. LiveKit has this member in Python only. */
  pushVideo(_frame: unknown): void {
    this.#emitter.warnOnce('Sonic takes no video: video frames are ignored');
  }

  /** Sends what is left in the buffer. Sonic itself decides when a turn ends. */
  override async commitAudio(): Promise<void> {
    if (this.#closed) return;
    for (const chunk of this.#chunker.flush(this.#options.clock.now()))
      this.#continuation.audio(chunk);
  }

  /** Discards audio that was not sent yet. */
  override async clearAudio(): Promise<void> {
    this.#chunker.clear();
    this.#continuation.clearAudio();
  }

  // -- replies -----------------------------------------------------------------------------------------------------

  /**
   * Requests a reply to the instructions and to the typed messages that `updateChatCtx` added. Resolves when the reply
   * begins. Without either, the option `replyCue` is what the model gets.
   * @throws RealtimeError when there is nothing to reply to, the model takes no text, the reply does not begin within
   * `generateReplyTimeout`, `signal` is aborted, or the session is closed
   */
  override generateReply(
    instructions?: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<llm.GenerationCreatedEvent> {
    this.#continuation.cancelRenewal(MESSAGE_ADDED);
    const typed = this.#added.take(this.#continuation.version ?? -1, Boolean(instructions?.trim()));
    const words = [instructions?.trim(), ...typed.map((entry) => entry.text)].filter(Boolean);
    const text = words.join('\n') || (this.#options.replyCue ?? '');
    const reason = this.#rejectionReason(text);
    if (reason) return this.#reject(reason);

    const id = typed.at(-1)?.id ?? shortuuid('item_');
    const entry: HistoryEntry | undefined =
      typed.length > 0
        ? undefined
        : { kind: 'instruction', id, at: this.#options.clock.now(), text };
    return this.#replies.create(id, options.signal, () => {
      this.#conversation.request(id, text, entry);
      this.#continuation.sendRequests();
    });
  }

  /** Stops the current reply and discards the rest of it; the next reply is played. A no-op while the agent is silent. */
  override async interrupt(): Promise<void> {
    this.#continuation.dispatch(this.#conversation.interrupt(this.#options.clock.now()));
    this.#tools.calls.interrupted();
  }

  /** A no-op: Sonic keeps its own record of what was spoken (its FINAL texts). Never rejects. */
  override async truncate(_options: {
    messageId: string;
    audioEndMs: number;
    modalities?: ('text' | 'audio')[];
    audioTranscript?: string;
  }): Promise<void> {
    this.#emitter.warnOnce('Sonic keeps its own record of what was spoken: truncate does nothing');
  }

  /** Closes the session, with an orderly end of the stream where one is open. Resolves when no stream or timer is left. */
  override close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#settings.close();
    this.#family.leave(this.#tools.calls.close());
    this.#replies.rejectAll(new llm.RealtimeError('the session was closed'));
    const { effects, leftover } = this.#conversation.end(this.#options.clock.now());
    this.#continuation.dispatch(effects);
    const total =
      leftover.inputAudio + leftover.inputText + leftover.outputAudio + leftover.outputText;
    if (total > 0)
      this.#emitter.emit(
        'metrics_collected',
        responseMetrics(this.realtimeModel, undefined, leftover, this.#options.clock.now()),
      );
    try {
      await Promise.all([this.#continuation.close(), super.close()]);
    } catch (error) {
      this.logger.warn({ error }, 'session did not close cleanly');
    }
    this.#chunker.close();
    this.#family.open.delete(this);
  }

  // -- changes and rejections ---------------------------------------------------------------------------------------

  #settingsChanged(holds: () => boolean = () => true): void {
    if (!this.#continuation.started || this.#closed) return;
    this.#settings.debounce(() => {
      if (!holds()) return;
      const current = this.#continuation.settings;
      if (current === undefined) return;
      const same = current === settingsFingerprint(this.#settings.stream);
      if (same) this.#continuation.cancelRenewal(SETTINGS_CHANGED);
      else void this.#continuation.renew(SETTINGS_CHANGED);
    });
  }

  #rejectionReason(text: string): string | undefined {
    if (this.#closed) return 'the session is closed';
    if (this.#options.modalities === 'audio') {
      return `${this.#options.model} with modalities 'audio' takes no text: the caller must speak first`;
    }
    if (!text) return 'generateReply() needs text: pass instructions or userInput';
    return undefined;
  }

  /** The framework ignores a rejection, so it is logged and emitted here. */
  #reject(message: string): Promise<never> {
    const error = new llm.RealtimeError(message);
    this.logger.error({ error: message }, 'generateReply rejected');
    if (!this.#closed) this.#emitter.emitError(error, true);
    return Promise.reject(error);
  }
}
