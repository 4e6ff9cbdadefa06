// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import pc from 'picocolors';
import { type CallEvent, ENDED_BY_TOOL } from '../../agent/src/call/call-events.js';
import { CALLER_RATE, Caller } from '../../agent/src/caller/caller.js';
import type { PcmAudio } from '../../agent/src/caller/pcm.js';
import type { LiveKitConnection } from '../livekit/connection.js';
import { type CallerConditions, createDevice } from './device.js';
import { phoneRoomName, pressKeys, setCallStatus } from './phone.js';

/** How long to wait for the agent to join, in ms. */
const AGENT_TIMEOUT_MS = 60_000;
/** A reply has ended when the agent listens and has been silent for this long: a tool call may lie in between. */
const REPLY_ENDED_AFTER_MS = 1_500;
/** No reply takes longer. */
const MAX_REPLY_MS = 120_000;
/** How far into a reply a barge-in starts. */
const BARGE_IN_AFTER_MS = 1_200;
/** How long the agent may take to say something to keys; it need not. */
const KEYS_ANSWER_MS = 5_000;

export interface Question {
  name: string;
  recording: PcmAudio;
  /** Asked while the reply to the previous question is playing. */
  bargeIn: boolean;
}

/** One question and its reply; times in ms since the epoch. */
export interface Turn {
  question: string;
  /** The last sound of the question left the caller. */
  endOfSpeechAt: number;
  /** The first sound of the reply reached the caller; absent when no reply came. */
  firstSoundAt?: number;
  /** From the end of speech, as the plugin received it, to the model's first audio, in ms. */
  modelMs?: number;
}

export interface CallOutcome {
  startedAt: number;
  turns: Turn[];
  /** Of a phone that rang: from the answer to the first sound of the greeting; -1 when there was none. */
  greetingMs?: number;
  /** `silenceMs`: from the barge-in to the agent's silence; -1 while it still speaks. */
  bargeIns: { at: number; silenceMs: number }[];
  /** Everything that the agent published about the call. */
  events: CallEvent[];
}

export interface CallRunnerOptions extends CallerConditions {
  /** How long to wait for a reply to start, in ms. */
  patienceMs: number;
  /** The telephone rings for so long before it is answered, in ms. */
  ringMs?: number;
  /** Keys to press after the greeting. */
  digits?: string;
  /** Called with each line about the call, as it happens. */
  print: (line: string) => void;
}

/** Runs a whole call from a list of questions and prints it line by line as it happens. */
export class CallRunner {
  readonly #device: ReturnType<typeof createDevice>;
  readonly #caller: Caller;
  readonly #questions: Question[];
  readonly #options: CallRunnerOptions;
  readonly #outcome: CallOutcome = { startedAt: Date.now(), turns: [], bargeIns: [], events: [] };
  #changed = new AbortController();
  #failure = '';
  /** The model ended the call, with the tool of assistant.ts. */
  #over = false;
  #soundStartedAt = 0;

  /** @throws Error with one sentence when the file with the noise cannot be read */
  constructor(questions: Question[], options: CallRunnerOptions) {
    this.#questions = questions;
    this.#options = options;
    this.#device = createDevice(options, CALLER_RATE);
    this.#caller = new Caller({ device: this.#device });
    this.#caller.on('callEvent', (event) => this.#onCallEvent(event));
    this.#caller.on('state', () => this.#wake());
    this.#caller.on('sound', (audible, at) => this.#onSound(audible, at));
    this.#caller.on('left', () => {
      if (this.#endReason === ENDED_BY_TOOL) this.#over = true;
      else this.#failure ||= 'the agent left the call';
      this.#wake();
    });
  }

  get recordings() {
    return this.#caller.recordings;
  }

  /** @throws Error with one sentence when no agent joins, or it leaves before the end. */
  async run(connection: LiveKitConnection): Promise<CallOutcome> {
    const { sip } = this.#device;
    const room = sip ? phoneRoomName(sip) : `conversation-${randomBytes(4).toString('hex')}`;
    await this.#caller.join(connection, room);
    this.#log(pc.dim('call'), `joined room ${room}${sip ? ` as ${sip.name || sip.identity}` : ''}`);
    const joined = await this.#waitUntil(() => this.#hasEvent('ready'), AGENT_TIMEOUT_MS);
    if (!joined)
      throw new Error(
        `No agent joined the call within ${AGENT_TIMEOUT_MS / 1000} s: is the worker running on this LiveKit server?`,
      );
    if (this.#options.ringMs !== undefined) await this.#ring(this.#options.ringMs);
    else if (this.#agentGreets)
      await this.#waitUntil(() => this.#caller.lastSound > 0, AGENT_TIMEOUT_MS);
    await this.#waitForReplyEnd();
    if (this.#options.digits) await this.#pressKeys(this.#options.digits);

    for (const [i, question] of this.#questions.entries()) {
      if (question.bargeIn) await this.#waitForBargeIn();
      await this.#ask(question);
      // If the next question interrupts this reply, its end is not awaited.
      if (!this.#questions[i + 1]?.bargeIn) await this.#waitForReplyEnd();
    }
    return this.#outcome;
  }

  async hangUp(): Promise<void> {
    await this.#caller.hangUp();
  }

  /** @throws Error with one sentence when the agent speaks before the phone is answered */
  async #ring(ms: number): Promise<void> {
    const { room } = this.#caller;
    await setCallStatus(room, 'ringing');
    this.#log(pc.cyan('phone'), 'rings');
    const spoke = await this.#waitUntil(() => this.#caller.lastSound > 0, ms);
    if (spoke) throw new Error('The agent spoke while the phone rang.');
    const answeredAt = Date.now();
    await setCallStatus(room, 'active');
    this.#log(pc.cyan('phone'), 'is answered');
    if (!this.#agentGreets) return;
    const greeted = await this.#waitUntil(() => this.#soundStartedAt > 0, this.#options.patienceMs);
    this.#outcome.greetingMs = greeted ? this.#soundStartedAt - answeredAt : -1;
  }

  async #pressKeys(keys: string): Promise<void> {
    this.#log(pc.cyan('keys'), keys);
    const pressedAt = Date.now();
    await pressKeys(this.#caller.room, keys);
    const answered = () => this.#caller.lastSound > pressedAt;
    if (await this.#waitUntil(answered, KEYS_ANSWER_MS)) await this.#waitForReplyEnd();
  }

  async #ask({ name, recording }: Question): Promise<void> {
    if (this.#over) throw new Error(`The agent ended the call before ${name} was asked.`);
    const endOfSpeechAt = await this.#caller.speak(recording);
    const turn: Turn = { question: name, endOfSpeechAt };
    this.#outcome.turns.push(turn);
    const answered = await this.#waitUntil(
      () => this.#over || (this.#caller.audible && this.#soundStartedAt > endOfSpeechAt),
      this.#options.patienceMs,
    );
    if (answered && this.#soundStartedAt > endOfSpeechAt) turn.firstSoundAt = this.#soundStartedAt;
  }

  #onSound(audible: boolean, at: number): void {
    if (audible) this.#soundStartedAt = at;
    else {
      const interrupted = this.#outcome.bargeIns.find(({ silenceMs }) => silenceMs < 0);
      if (interrupted) interrupted.silenceMs = Math.max(0, at - interrupted.at);
    }
    this.#wake();
  }

  /** Resolves a moment after the reply has become audible. */
  async #waitForBargeIn(): Promise<void> {
    await this.#waitUntil(() => this.#caller.audible, this.#options.patienceMs);
    const longEnough = () => Date.now() - this.#soundStartedAt >= BARGE_IN_AFTER_MS;
    await this.#waitUntil(longEnough, BARGE_IN_AFTER_MS + 100);
  }

  async #waitForReplyEnd(): Promise<void> {
    const ended = () =>
      this.#over ||
      (!this.#caller.audible &&
        this.#caller.state === 'listening' &&
        Date.now() - this.#caller.lastSound > REPLY_ENDED_AFTER_MS);
    await this.#waitUntil(ended, MAX_REPLY_MS);
  }

  /** Resolves with whether the condition held within `ms`; checked on every change and every 100 ms. */
  async #waitUntil(condition: () => boolean, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    while (!condition()) {
      if (this.#failure) {
        const reason = this.#endReason;
        throw new Error(`${this.#failure}${reason && ` (${reason})`}.`);
      }
      if (Date.now() >= deadline) return false;
      const timer = AbortSignal.timeout(100);
      const signal = AbortSignal.any([timer, this.#changed.signal]);
      if (!signal.aborted) await once(signal, 'abort');
    }
    return true;
  }

  #wake(): void {
    this.#changed.abort();
    this.#changed = new AbortController();
  }

  #hasEvent(type: CallEvent['type']): boolean {
    return this.#outcome.events.some((event) => event.type === type);
  }

  get #agentGreets(): boolean {
    return this.#outcome.events.some((event) => event.type === 'ready' && event.greets);
  }

  get #endReason(): string {
    const ended = this.#outcome.events.find((event) => event.type === 'ended');
    return ended?.type === 'ended' ? ended.reason : '';
  }

  #onCallEvent(event: CallEvent): void {
    this.#outcome.events.push(event);
    switch (event.type) {
      case 'message': {
        const speaker = event.role === 'user' ? pc.cyan('you') : pc.green('agent');
        this.#log(speaker, event.text + (event.interrupted ? pc.yellow(' [interrupted]') : ''));
        break;
      }
      case 'tool': {
        const result = event.isError ? pc.red(event.result) : event.result;
        this.#log(pc.magenta('tool'), `${event.name} ${event.args} -> ${result}`);
        break;
      }
      case 'barge_in':
        this.#log(pc.yellow('barge'), 'you interrupted the agent');
        this.#outcome.bargeIns.push({ at: event.at, silenceMs: -1 });
        break;
      case 'turn': {
        const turn = this.#outcome.turns.at(-1);
        if (turn && turn.modelMs === undefined) {
          const { userSpeechEndedAt, firstAudioReceivedAt } = event;
          if (userSpeechEndedAt !== undefined && firstAudioReceivedAt !== undefined)
            turn.modelMs = firstAudioReceivedAt - userSpeechEndedAt;
        }
        break;
      }
      case 'error':
        this.#log(pc.red('error'), event.message);
        break;
      default:
    }
    this.#wake();
  }

  #log(label: string, text: string): void {
    const at = ((Date.now() - this.#outcome.startedAt) / 1000).toFixed(1).padStart(6);
    this.#options.print(`${pc.dim(`${at} s`)}  ${padLabel(label)}  ${text}`);
  }
}

/** Pads a coloured label to five columns. */
function padLabel(label: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape that starts a colour
  const width = label.replace(/\u001b\[\d+m/g, '').length;
  return label + ' '.repeat(Math.max(0, 5 - width));
}
