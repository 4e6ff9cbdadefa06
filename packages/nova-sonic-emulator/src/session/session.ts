// SPDX-License-Identifier: Apache-2.0
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { constants } from 'node:http2';
import { scaledClock } from '../clock.js';
import { Conversation } from '../dialogue/dialogue.js';
import type { Sensitivity } from '../dialogue/profile.js';
import type { Script } from '../dialogue/script.js';
import type { EmulatorContext } from '../endpoint.js';
import {
  decode,
  encodeChunk,
  encodeException,
  FrameError,
  FrameReader,
  type Message,
  readChunk,
} from '../http2/frames.js';
import type { ChunkVerifier } from '../http2/signature.js';
import { HttpError, invalid, StreamError, TEXT } from '../protocol/errors.js';
import type { PromptStart } from '../protocol/events.js';
import type { Model } from '../protocol/models.js';
import { type Action, Rules } from '../protocol/rules.js';
import type { Random } from '../random.js';
import { Ears } from '../speech/speech-detector.js';
import { SessionFaults } from './session-faults.js';
import { SessionLimits } from './session-limits.js';

/** What a request settled before its stream began. */
export interface Admission {
  /** Access key and Region: what concurrent streams are counted by. */
  account: string;
  model: Model;
  verifier?: ChunkVerifier;
  headers: IncomingHttpHeaders;
}

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

/** One bidirectional stream: reads input events, checks them, and sends what the conversation says. */
export class Session {
  readonly id: string;
  readonly requestId: string;
  readonly startedAt = performance.now();
  private readonly conversation: Conversation;
  private readonly rules: Rules;
  private readonly reader = new FrameReader();
  private readonly limits: SessionLimits;
  private readonly faults: SessionFaults;
  private ears?: Ears;
  /** Typed texts that wait until enough audio was sent. */
  private readonly unanswered: string[] = [];
  private sensitivity: Sensitivity = 'MEDIUM';
  private audioMs = 0;
  private inputRate = 16_000;
  private promptName = '';
  private completed?: Promise<void>;
  private headersSent = false;
  private held: Uint8Array[] = [];
  private over = false;
  received = 0;
  sent = 0;

  constructor(
    private readonly context: EmulatorContext,
    readonly admission: Admission,
    readonly stream: ServerHttp2Stream,
    random: Random,
    script: Script,
    private readonly onClose: () => void,
  ) {
    this.id = random.uuid();
    this.requestId = random.uuid();
    const { settings, clock, speaker } = context;
    this.faults = new SessionFaults(context.faults, this, () => context.killSocket(stream));
    this.conversation = new Conversation({
      clock,
      random,
      profile: settings.profile,
      speaker,
      script,
      outlet: {
        emit: (name, body) => this.emit(name, body),
        note: (name, detail = {}) => this.note(name, detail),
        fail: (error) => this.fail(error),
      },
      quirks: () => this.faults.quirks(),
    });
    this.rules = new Rules(
      admission.model,
      settings.rules,
      (toolUseId) => this.conversation.awaits(toolUseId),
      (text) => this.note('warning', { text }),
    );
    this.limits = new SessionLimits(
      scaledClock(clock, settings.timeScale),
      settings.limits,
      (error) => this.fail(error),
      () => this.sendHeaders(),
    );
    this.note('open', { model: admission.model.id, account: admission.account });
    stream.on('data', (bytes: Buffer) => this.read(bytes));
    stream.on('end', () => this.inputEnded());
    stream.on('error', (error) => this.note('aborted', { error: String(error) }));
    stream.on('close', () => this.finish());
    this.faults.begin();
  }

  get info(): SessionInfo {
    const { account, model } = this.admission;
    const ageMs = Math.round(performance.now() - this.startedAt);
    return {
      id: this.id,
      account,
      model: model.id,
      ageMs,
      received: this.received,
      sent: this.sent,
    };
  }

  // ------------------------------------------------------------------ input

  private read(bytes: Buffer): void {
    if (this.over) return;
    try {
      for (const message of this.reader.push(bytes)) {
        this.message(message);
        if (this.over) return;
      }
    } catch (error) {
      this.refuse(error);
    }
  }

  private message(outer: Message): void {
    const { verifier } = this.admission;
    let inner = outer;
    if (verifier) {
      try {
        verifier.verify(outer);
      } catch (error) {
        this.refuseSignature((error as Error).message);
        return;
      }
    }
    if (outer.headers[':date']) {
      // A signed message without payload is the end of the input.
      if (outer.body.length === 0) return;
      inner = decode(outer.body);
    }
    const chunk = readChunk(inner);
    const { event, action } = this.check(chunk);
    this.received++;
    this.record('in', event.name, event.body as Record<string, unknown>);
    this.sendHeaders();
    this.act(action);
    this.faults.seen('in', event.name);
  }

  /** Applies the rules; an event that they refuse is recorded too. */
  private check(chunk: unknown): ReturnType<Rules['accept']> {
    try {
      return this.rules.accept(chunk);
    } catch (error) {
      const [name, body] =
        Object.entries((chunk as { event?: object } | null)?.event ?? {})[0] ?? [];
      if (name)
        this.record('in', name, body !== null && typeof body === 'object' ? body : { body });
      throw error;
    }
  }

  private act(action: Action): void {
    switch (action.do) {
      case 'session':
        this.sensitivity = action.sensitivity;
        break;
      case 'prompt':
        this.prompt(action.prompt);
        break;
      case 'audioStart': {
        this.inputRate = action.sampleRate;
        this.ears = new Ears(
          action.sampleRate,
          () => this.conversation.endpointing(this.sensitivity),
          (event) => {
            this.limits.interaction();
            this.conversation.heard(event);
          },
          (error) => this.refuse(error),
        );
        break;
      }
      case 'audio':
        this.limits.audio();
        this.audioMs += (action.pcm.length / 2 / this.inputRate) * 1000;
        this.ears?.push(action.pcm);
        this.answerTyped();
        break;
      case 'typed':
        this.limits.interaction();
        this.unanswered.push(action.text);
        this.answerTyped();
        break;
      case 'toolResult':
        this.limits.interaction();
        this.conversation.toolResult(action.toolUseId, action.result);
        break;
      case 'promptEnd':
        this.completed = this.conversation.promptEnd();
        break;
      case 'sessionEnd':
        void (this.completed ?? Promise.resolve()).then(() => this.end('sessionEnd'));
        break;
      case 'nothing':
        break;
    }
  }

  private prompt(prompt: PromptStart): void {
    this.promptName = prompt.promptName;
    const { model } = this.admission;
    const { voiceId, sampleRateHertz } = prompt.audioOutputConfiguration;
    void this.conversation.start({
      model,
      voice: model.voices.get(voiceId) ?? { locale: 'en-US', register: 'feminine' },
      sampleRate: sampleRateHertz,
      toolNames: new Set(prompt.toolConfiguration?.tools.map(({ toolSpec }) => toolSpec.name)),
    });
  }

  /** Typed text generates nothing until some audio has been sent (measured by others: 64 to 68 ms). */
  private answerTyped(): void {
    if (this.audioMs < this.context.settings.limits.primingAudioMs) return;
    for (const text of this.unanswered.splice(0)) this.conversation.typed(text);
  }

  private inputEnded(): void {
    if (this.over) return;
    if (this.reader.rest) {
      this.refuse(new FrameError('the input ended in the middle of a message'));
    } else if (!this.completed) {
      this.note('warning', { text: 'the input ended without promptEnd and sessionEnd' });
      this.end('end of input');
    } else {
      void this.completed.then(() => this.end('end of input'));
    }
  }

  // ------------------------------------------------------------------ output

  /** Sends an output event. */
  emit(name: string, body: Record<string, unknown>): void {
    if (this.over) return;
    const event = { ...body, promptName: this.promptName, sessionId: this.id };
    const bytes = encodeChunk(JSON.stringify({ event: { [name]: event } }));
    for (let copies = this.faults.copies(name); copies > 0; copies--) {
      this.sent++;
      if (!this.faults.silent) this.record('out', name, event);
      this.write(bytes);
    }
    this.faults.seen('out', name);
  }

  /** Sends bytes; before the response headers they are held back. */
  write(bytes: Uint8Array): void {
    if (this.faults.silent) return;
    if (!this.headersSent) this.held.push(bytes);
    else if (this.stream.writable) this.stream.write(bytes);
  }

  /** Response headers follow the first input event, as the real service's do. */
  sendHeaders(): void {
    if (this.headersSent || this.stream.destroyed || this.faults.holdHeaders()) return;
    this.headersSent = true;
    this.stream.respond({
      ':status': 200,
      'content-type': 'application/vnd.amazon.eventstream',
      'x-amzn-requestid': this.requestId,
    });
    this.note('headers');
    for (const bytes of this.held.splice(0)) this.write(bytes);
  }

  /** Ends the stream with an exception inside it. */
  fail(error: StreamError): void {
    if (this.over) return;
    const message = `RequestId=${this.requestId} : ${error.message}`;
    const extra =
      error.type === 'modelStreamErrorException'
        ? { originalStatusCode: 424, originalMessage: error.message }
        : {};
    this.note('violation', { type: error.type, message: error.message, why: error.why });
    this.context.settings.log(`session ${this.id}: ${error.type}: ${error.message} (${error.why})`);
    this.sendHeaders();
    this.record('out', 'exception', { type: error.type, message });
    this.write(encodeException(error.type, { message, ...extra }));
    this.end('exception');
  }

  /** Ends the response; the client may still be sending. */
  end(reason: string): void {
    if (this.over) return;
    this.over = true;
    this.conversation.close();
    this.limits.close();
    this.note('close', { reason });
    const { stream } = this;
    if (this.faults.silent) return;
    this.sendHeaders();
    if (!stream.writable) return;
    stream.end(() => {
      // What the client still sends has no reader: say so, once it had time to read the response.
      if (!stream.readableEnded) {
        this.context.clock.after(100, () => {
          if (!stream.destroyed) stream.close(constants.NGHTTP2_NO_ERROR);
        });
      }
    });
  }

  /** Ends the session from outside, also one that a fault has silenced. */
  stop(): void {
    this.end('ended from outside');
    // A client that does not read would never let the stream finish.
    this.context.clock.after(200, () => {
      if (!this.stream.destroyed) this.stream.close(constants.NGHTTP2_CANCEL);
    });
  }

  /** Stops whatever is going on: the emulator closes. */
  dispose(): void {
    this.conversation.close();
    this.limits.close();
    this.faults.close();
  }

  /** An input that cannot be read at all. */
  private refuse(error: unknown): void {
    if (error instanceof StreamError) this.fail(error);
    else if (error instanceof FrameError) this.fail(invalid(TEXT.parse, error.message));
    else {
      this.context.settings.log(`session ${this.id}: ${(error as Error).stack}`);
      this.fail(new StreamError('internalServerException', TEXT.internal, String(error)));
    }
  }

  private refuseSignature(why: string): void {
    if (this.headersSent) {
      this.fail(invalid(TEXT.signature, why));
      return;
    }
    this.over = true;
    this.conversation.close();
    this.limits.close();
    this.note('violation', { type: 'InvalidSignatureException', message: TEXT.signature, why });
    this.context.refuse(
      this.stream,
      new HttpError(403, 'InvalidSignatureException', TEXT.signature, why),
      this.requestId,
    );
  }

  private finish(): void {
    if (!this.over) {
      this.over = true;
      this.note('close', { reason: 'the client went away' });
    }
    this.dispose();
    this.onClose();
    this.note('gone');
  }

  // ------------------------------------------------------------------ recording

  note(name: string, detail: Record<string, unknown> = {}): void {
    if (name === 'warning') this.context.settings.log(`session ${this.id}: ${detail.text}`);
    this.record('note', name, detail);
  }

  private record(
    direction: 'in' | 'out' | 'note',
    name: string,
    body: Record<string, unknown>,
  ): void {
    this.context.recording.add(this.id, this.startedAt, direction, name, body);
  }
}
