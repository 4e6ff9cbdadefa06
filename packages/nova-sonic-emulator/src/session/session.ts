// SPDX-License-Identifier: Apache-2.0
// Long because a session joins everything: input, rules, limits, faults, dialogue and output.
import type { ServerHttp2Stream } from 'node:http2';
import { scaledClock } from '../clock.js';
import type { Admission, EmulatorContext } from '../context.js';
import { Dialogue } from '../dialogue/dialogue.js';
import type { Script } from '../dialogue/script.js';
import { encodeChunk, encodeException, FrameError } from '../http2/frames.js';
import { profileFor } from '../options.js';
import { explanation, HttpError, invalid, StreamError, TEXT } from '../protocol/errors.js';
import type { Sensitivity } from '../protocol/events.js';
import { type Action, InputValidator, type RuleWarning } from '../protocol/input-validator.js';
import type { ReadPrompt } from '../protocol/read-events.js';
import { citation, protocolRule } from '../protocol/rules.js';
import { SeededRandom } from '../random.js';
import { ForegroundVoice } from '../speech/foreground-voice.js';
import { SpeechDetector, type VoiceActivity } from '../speech/speech-detector.js';
import { type FaultTarget, SessionFaults } from './session-faults.js';
import { SessionLimits } from './session-limits.js';
import { StreamTransport, type TransportHandler } from './stream-transport.js';

/** A live session, as lists show it. */
export interface SessionInfo {
  id: string;
  account: string;
  model: string;
  /** Milliseconds since the request arrived. */
  ageMs: number;
  /** Events so far. */
  received: number;
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
  private detector?: SpeechDetector;
  /** Typed texts that wait until enough audio was sent. */
  private readonly waitingTexts: string[] = [];
  private sensitivity: Sensitivity = 'MEDIUM';
  private audioMs = 0;
  private inputRate = 16_000;
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
      (warning) => this.ruleWarning(warning),
    );
    this.limits = new SessionLimits(
      scaledClock(clock, config.timeScale),
      config.limits,
      (error) => this.fail(error),
      () => this.sendHeaders(),
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
    this.log('in', name, body);
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
      if (name) this.log('in', name, body !== null && typeof body === 'object' ? body : { body });
      throw error;
    }
  }

  private act(action: Action): void {
    switch (action.do) {
      case 'session':
        this.sensitivity = action.sensitivity;
        break;
      case 'prompt':
        this.startPrompt(action.prompt);
        break;
      case 'audioStart':
        this.inputRate = action.sampleRate;
        this.detector = new SpeechDetector(
          action.sampleRate,
          () => this.dialogue.endpointing(this.sensitivity),
          (event) => {
            this.limits.interaction();
            this.dialogue.speechEvent(event);
          },
          (error) => this.onInputError(error),
          this.createVad(),
          this.context.config.noise === 'false-speech'
            ? (offsetMs, durationMs) => this.dialogue.falseSpeech(offsetMs, durationMs)
            : undefined,
        );
        break;
      case 'audio':
        if (this.dialogue.toolPending && this.faults.deafDuringTool) {
          const why = 'fault deaf-during-tool: audio while a tool call waits for its result';
          this.fail(new StreamError('validationException', TEXT.deaf, why));
          break;
        }
        this.limits.audio();
        this.audioMs += (action.pcm.length / 2 / this.inputRate) * 1000;
        this.detector?.push(action.pcm);
        this.releaseTypedTexts();
        break;
      case 'typed':
        this.limits.interaction();
        this.waitingTexts.push(action.text);
        this.releaseTypedTexts();
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

  private createVad(): VoiceActivity {
    const vad = this.context.createVad();
    return this.context.config.otherVoices === 'ignored' ? new ForegroundVoice(vad) : vad;
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

  /** Typed text generates nothing until some audio was sent (measured by others: 64 to 68 ms). */
  private releaseTypedTexts(): void {
    if (this.audioMs < this.context.config.limits.primingAudioMs) return;
    for (const text of this.waitingTexts.splice(0)) this.dialogue.typedText(text);
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
    this.noteViolation(error);
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
      if (!this.faults.silent) this.log('out', name, event);
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
    if (this.detector) this.dialogue.falseSpeech(this.detector.offsetMs, durationMs);
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
    this.noteViolation(error);
    this.context.config.log(
      `session ${this.id}: ${error.type}: ${error.message} (${explanation(error)})`,
    );
    this.sendHeaders();
    this.log('out', 'exception', { type: error.type, message });
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

  // ------------------------------------------------------------------ event log

  private noteViolation({ type, message, why, rule }: StreamError | HttpError): void {
    const known = rule && { rule, evidence: protocolRule(rule).evidence };
    this.note('violation', { type, message, why, ...known });
  }

  private ruleWarning({ rule, why, event }: RuleWarning): void {
    const text = `${event}: ${why}; ${citation(rule)}`;
    this.note('warning', { text, rule, evidence: protocolRule(rule).evidence });
  }

  note(name: string, detail: Record<string, unknown> = {}): void {
    if (name === 'warning') this.context.config.log(`session ${this.id}: warning: ${detail.text}`);
    this.log('note', name, detail);
  }

  private log(direction: 'in' | 'out' | 'note', name: string, body: Record<string, unknown>): void {
    const t = this.context.clock.now() - this.startedAt;
    this.context.eventLog.add(this.id, t, direction, name, body);
  }
}
