// SPDX-License-Identifier: Apache-2.0
import type { ServerHttp2Stream } from 'node:http2';
import { scaledClock } from '../clock.js';
import type { Admission, EmulatorContext } from '../context.js';
import { Dialogue } from '../dialogue/dialogue.js';
import type { Script } from '../dialogue/script.js';
import { encodeChunk, encodeException, FrameError } from '../http2/frames.js';
import { profileFor } from '../options.js';
import { explanation, HttpError, invalid, StreamError, TEXT } from '../protocol/errors.js';
import { type Action, InputValidator } from '../protocol/input-validator.js';
import type { ReadPrompt } from '../protocol/read-events.js';
import { SeededRandom } from '../random.js';
import { type FaultTarget, SessionFaults } from './session-faults.js';
import { SessionLimits } from './session-limits.js';
import { SessionLog } from './session-log.js';
import { StreamTransport, type TransportHandler } from './stream-transport.js';
import { UserInput } from './user-input.js';

/** A live session, as lists show it. */
export interface SessionInfo {
  /** As `sessionId` in its events. */
  id: string;
  /** Account (or access key) and Region: what concurrent streams are counted by. */
  account: string;
  /** Model ID of the request. */
  model: string;
  /** Milliseconds since the request arrived. */
  ageMs: number;
  /** Events from the client so far. */
  received: number;
  /** Events to the client so far. */
  sent: number;
}

/** One bidirectional stream: validates input events, acts on them, and sends what the dialogue says. */
export class Session implements FaultTarget, TransportHandler {
  readonly id: string;
  private readonly requestId: string;
  private readonly startedAt: number;
  private readonly dialogue: Dialogue;
  private readonly validator: InputValidator;
  private readonly limits: SessionLimits;
  private readonly faults: SessionFaults;
  private readonly transport: StreamTransport;
  private readonly userInput: UserInput;
  private readonly log: SessionLog;
  private promptName = '';
  /** Resolves after completionEnd; set by promptEnd. */
  private completed?: Promise<void>;
  private over = false;
  private received = 0;
  private sent = 0;

  constructor(
    private readonly context: EmulatorContext,
    readonly admission: Admission,
    readonly stream: ServerHttp2Stream,
    random: SeededRandom,
    script: Script,
    private readonly onClosed: () => void,
  ) {
    this.id = random.uuid();
    this.requestId = random.uuid();
    const { clock, config, textToSpeech } = context;
    this.startedAt = clock.now();
    this.log = new SessionLog(this.id, clock, context.eventLog, config.log);
    this.faults = new SessionFaults(context.faults, this, clock, () => context.killSocket(stream));
    this.dialogue = new Dialogue({
      clock,
      random,
      profile: profileFor(config, admission.model.generation),
      textToSpeech,
      script,
      history: () => this.validator.history,
      sink: this,
      quirks: () => this.faults.quirks(),
    });
    this.validator = new InputValidator(
      admission.model,
      config.rules,
      (toolUseId) => this.dialogue.awaits(toolUseId),
      (warning) => this.log.warning(warning),
    );
    this.limits = new SessionLimits(
      scaledClock(clock, config.timeScale),
      config.limits,
      (error) => this.fail(error),
      () => this.sendHeaders(),
    );
    this.userInput = new UserInput(context, this.dialogue, this.limits, (error) =>
      this.onInputError(error),
    );
    this.note('open', { model: admission.model.id, account: admission.account });
    const { verifier } = admission;
    this.transport = new StreamTransport(
      context,
      stream,
      this.requestId,
      verifier,
      this.faults,
      this,
      // Of its own, so that the network changes nothing in the dialogue.
      new SeededRandom(Number.parseInt(this.id.slice(0, 8), 16)),
    );
    this.faults.begin();
  }

  get info(): SessionInfo {
    const { account, model } = this.admission;
    const ageMs = Math.round(this.context.clock.now() - this.startedAt);
    const { id, received, sent } = this;
    return { id, account, model: model.id, ageMs, received, sent };
  }

  // ------------------------------------------------------------------ input

  onChunk(chunk: unknown): void {
    const { name, body, action } = this.validate(chunk);
    this.received++;
    this.log.event('in', name, body);
    this.sendHeaders();
    this.act(action);
    this.faults.onEvent('in', name);
  }

  /** Applies the rules of the protocol; an event that they reject is logged too. */
  private validate(chunk: unknown): ReturnType<InputValidator['accept']> {
    try {
      return this.validator.accept(chunk);
    } catch (error) {
      const [name, body] =
        Object.entries((chunk as { event?: object } | null)?.event ?? {})[0] ?? [];
      if (name) {
        const logged = body !== null && typeof body === 'object' ? body : { body };
        this.log.event('in', name, logged);
      }
      throw error;
    }
  }

  private act(action: Action): void {
    switch (action.do) {
      case 'session':
        this.userInput.sensitivity = action.sensitivity;
        break;
      case 'prompt':
        this.startPrompt(action.prompt);
        break;
      case 'audioStart':
        this.userInput.startAudio(action.sampleRate);
        break;
      case 'audio':
        if (this.dialogue.toolPending && this.faults.deafDuringTool) {
          const why = 'fault deaf-during-tool: audio while a tool call waits for its result';
          this.fail(new StreamError('validationException', TEXT.deaf, why));
          break;
        }
        this.userInput.audio(action.pcm);
        break;
      case 'typed':
        this.userInput.typed(action.text);
        break;
      case 'toolResult':
        this.limits.interaction();
        this.dialogue.toolResult(action.toolUseId, action.result);
        break;
      case 'promptEnd':
        this.completed = this.dialogue.promptEnd();
        break;
      case 'sessionEnd':
        void (this.completed ?? Promise.resolve()).then(() => this.end('sessionEnd'));
        break;
      case 'nothing':
        break;
    }
  }

  private startPrompt({ promptName, voiceId, sampleRate, tools }: ReadPrompt): void {
    this.promptName = promptName;
    const { voices } = this.admission.model;
    void this.dialogue.start({
      voice: voices.get(voiceId) ?? { locale: 'en-US', register: 'feminine' },
      sampleRate,
      toolNames: new Set(tools.map(({ name }) => name)),
    });
  }

  onInputEnd(): void {
    if (this.completed) {
      void this.completed.then(() => this.end('end of input'));
    } else {
      try {
        this.validator.end();
        this.end('end of input');
      } catch (error) {
        this.onInputError(error);
      }
    }
  }

  onInputError(error: unknown): void {
    if (error instanceof StreamError) this.fail(error);
    else if (error instanceof FrameError)
      this.fail(invalid(TEXT.parse, error.message, 'event-shape'));
    else {
      this.context.config.log(`session ${this.id}: ${(error as Error).stack}`);
      this.fail(new StreamError('internalServerException', TEXT.internal, String(error)));
    }
  }

  onInvalidSignature(why: string): void {
    if (this.transport.headersSent) {
      this.fail(invalid(TEXT.signature, why, 'chunk-signature'));
      return;
    }
    this.over = true;
    this.dialogue.close();
    this.limits.close();
    const error = new HttpError(
      403,
      'InvalidSignatureException',
      TEXT.signature,
      why,
      'chunk-signature',
    );
    this.log.violation(error);
    this.transport.refuse(error);
  }

  onHeadersSent(): void {
    this.note('headers');
  }

  onAborted(error: Error): void {
    this.note('aborted', { error: String(error) });
  }

  onClose(): void {
    if (!this.over) {
      this.over = true;
      this.note('close', { reason: 'the client went away' });
    }
    this.dispose();
    this.onClosed();
    this.note('gone');
  }

  // ------------------------------------------------------------------ output

  emit(name: string, body: Record<string, unknown>): void {
    if (this.over) return;
    const event = { ...body, promptName: this.promptName, sessionId: this.id };
    const bytes = encodeChunk(JSON.stringify({ event: { [name]: event } }));
    for (let copies = this.faults.copies(name); copies > 0; copies--) {
      this.sent++;
      if (!this.faults.silent) this.log.event('out', name, event);
      this.write(bytes);
    }
    this.faults.onEvent('out', name);
  }

  write(bytes: Uint8Array): void {
    this.transport.write(bytes);
  }

  stall(ms: number): void {
    this.transport.stall(ms);
  }

  falseSpeech(durationMs: number): void {
    this.userInput.falseSpeech(durationMs);
  }

  afterDelivery(act: () => void): void {
    this.transport.afterDelivery(act);
  }

  /** Response headers follow the first input event, as the real service's do. */
  sendHeaders(): void {
    this.transport.sendHeaders();
  }

  fail(error: StreamError): void {
    if (this.over) return;
    const message = `RequestId=${this.requestId} : ${error.message}`;
    const extra =
      error.type === 'modelStreamErrorException'
        ? { originalStatusCode: 424, originalMessage: error.message }
        : {};
    this.log.violation(error);
    this.context.config.log(
      `session ${this.id}: ${error.type}: ${error.message} (${explanation(error)})`,
    );
    this.sendHeaders();
    this.log.event('out', 'exception', { type: error.type, message });
    this.write(encodeException(error.type, { message, ...extra }));
    this.end('exception');
  }

  /** Ends the response; the client may still be sending. */
  private end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.dialogue.close();
    this.limits.close();
    this.note('close', { reason });
    this.transport.end();
  }

  /** Ends the session from outside, even one that a fault has silenced. */
  stop(): void {
    this.end('ended from outside');
    this.transport.cancelSoon();
  }

  /** Stops all timers: the emulator closes. */
  dispose(): void {
    this.dialogue.close();
    this.limits.close();
    this.faults.close();
  }

  note(name: string, detail: Record<string, unknown> = {}): void {
    this.log.note(name, detail);
  }
}
