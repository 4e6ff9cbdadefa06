// SPDX-License-Identifier: Apache-2.0

import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import pc from 'picocolors';
import type { CallEvent } from '../../agent/src/call/call-events.js';
import type { Recording } from '../audio/wav.js';
import { Caller, type Line } from './caller.js';

/** How long to wait for the agent to come, in ms. */
const AGENT_TIMEOUT_MS = 20_000;
/** An answer has ended when the agent listens and has been silent for this long: a tool call may lie between. */
const ENDED_AFTER_MS = 1_500;
/** How far into a reply a barge-in begins. */
const BARGE_IN_AFTER_MS = 1_200;

export interface Question {
  name: string;
  recording: Recording;
  /** Asked while the reply to the question before is playing. */
  bargeIn: boolean;
}

/** One question and what came of it; times in ms since the epoch. */
export interface Turn {
  question: string;
  /** The last sound of the question left the caller. */
  endOfSpeechAt: number;
  /** The first sound of the reply reached the caller; absent when none came. */
  firstSoundAt?: number;
  /** From the end of speech as the plugin heard it to the model's first audio, in ms. */
  modelMs?: number;
}

export interface Outcome {
  startedAt: number;
  turns: Turn[];
  bargeIns: { at: number; silenceMs: number }[];
  feed: CallEvent[];
}

/** A whole call, told line by line as it happens. */
export class Conversation {
  readonly #caller = new Caller();
  readonly #questions: Question[];
  readonly #patienceMs: number;
  readonly #print: (line: string) => void;
  readonly #outcome: Outcome = { startedAt: Date.now(), turns: [], bargeIns: [], feed: [] };
  #changed = new AbortController();
  #left = '';

  /** @param patienceMs How long to wait for an answer to begin. */
  constructor(questions: Question[], patienceMs: number, print: (line: string) => void) {
    this.#questions = questions;
    this.#patienceMs = patienceMs;
    this.#print = print;
    this.#caller.on('feed', (message) => this.#onFeed(message));
    this.#caller.on('state', () => this.#wake());
    this.#caller.on('sound', (audible, at) => this.#onSound(audible, at));
    this.#caller.on('left', () => {
      this.#left ||= 'the agent left the call';
      this.#wake();
    });
  }

  get recordings() {
    return this.#caller.recordings;
  }

  /** @throws Error with one sentence when no agent comes or it leaves in the middle. */
  async hold(line: Line): Promise<Outcome> {
    const room = `conversation-${randomBytes(4).toString('hex')}`;
    await this.#caller.join(line, room);
    this.#tell(pc.dim('call'), `joined room ${room}`);
    const came = await this.#until(() => this.#has('ready'), AGENT_TIMEOUT_MS);
    if (!came)
      throw new Error(
        `No agent came to the call in ${AGENT_TIMEOUT_MS / 1000} s: is the worker running on this LiveKit server?`,
      );
    if (this.#greets) await this.#until(() => this.#caller.lastSound > 0, AGENT_TIMEOUT_MS);
    await this.#silence();

    for (const [i, question] of this.#questions.entries()) {
      if (question.bargeIn) await this.#intoReply();
      await this.#ask(question);
      // The next question interrupts this reply: then nobody waits for its end.
      if (!this.#questions[i + 1]?.bargeIn) await this.#silence();
    }
    return this.#outcome;
  }

  async hangUp(): Promise<void> {
    await this.#caller.hangUp();
  }

  async #ask({ name, recording }: Question): Promise<void> {
    const endOfSpeechAt = await this.#caller.speak(recording);
    const turn: Turn = { question: name, endOfSpeechAt };
    this.#outcome.turns.push(turn);
    const answered = await this.#until(
      () => this.#caller.audible && this.#soundBegan > endOfSpeechAt,
      this.#patienceMs,
    );
    if (answered) turn.firstSoundAt = this.#soundBegan;
  }

  #soundBegan = 0;
  #onSound(audible: boolean, at: number): void {
    if (audible) this.#soundBegan = at;
    else {
      const interrupted = this.#outcome.bargeIns.find(({ silenceMs }) => silenceMs < 0);
      if (interrupted) interrupted.silenceMs = Math.max(0, at - interrupted.at);
    }
    this.#wake();
  }

  /** Resolves a little after the reply has begun to be heard. */
  async #intoReply(): Promise<void> {
    await this.#until(() => this.#caller.audible, this.#patienceMs);
    const heardFor = () => Date.now() - this.#soundBegan >= BARGE_IN_AFTER_MS;
    await this.#until(heardFor, BARGE_IN_AFTER_MS + 100);
  }

  async #silence(): Promise<void> {
    const quiet = () =>
      !this.#caller.audible &&
      this.#caller.state === 'listening' &&
      Date.now() - this.#caller.lastSound > ENDED_AFTER_MS;
    await this.#until(quiet, 120_000);
  }

  /** Waits until something holds; false when it did not within `ms`. Looked at whenever something happens, and by the clock. */
  async #until(holds: () => boolean, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms;
    while (!holds()) {
      if (this.#left) throw new Error(`${this.#left}${this.#why()}.`);
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

  #has(type: CallEvent['type']): boolean {
    return this.#outcome.feed.some((message) => message.type === type);
  }

  get #greets(): boolean {
    return this.#outcome.feed.some((message) => message.type === 'ready' && message.greets);
  }

  #why(): string {
    const ended = this.#outcome.feed.find((message) => message.type === 'ended');
    return ended?.type === 'ended' ? ` (${ended.reason})` : '';
  }

  #onFeed(message: CallEvent): void {
    this.#outcome.feed.push(message);
    switch (message.type) {
      case 'message': {
        const who = message.role === 'user' ? pc.cyan('you') : pc.green('agent');
        this.#tell(who, message.text + (message.interrupted ? pc.yellow(' [interrupted]') : ''));
        break;
      }
      case 'tool': {
        const result = message.isError ? pc.red(message.result) : message.result;
        this.#tell(pc.magenta('tool'), `${message.name} ${message.args} -> ${result}`);
        break;
      }
      case 'barge_in':
        this.#tell(pc.yellow('barge'), 'you interrupted the agent');
        this.#outcome.bargeIns.push({ at: message.at, silenceMs: -1 });
        break;
      case 'turn': {
        const turn = this.#outcome.turns.at(-1);
        if (turn && turn.modelMs === undefined) {
          const { userSpeechEndedAt, firstAudioReceivedAt } = message;
          if (userSpeechEndedAt !== undefined && firstAudioReceivedAt !== undefined)
            turn.modelMs = firstAudioReceivedAt - userSpeechEndedAt;
        }
        break;
      }
      case 'error':
        this.#tell(pc.red('error'), message.message);
        break;
      default:
    }
    this.#wake();
  }

  #tell(who: string, text: string): void {
    const at = ((Date.now() - this.#outcome.startedAt) / 1000).toFixed(1).padStart(6);
    this.#print(`${pc.dim(`${at} s`)}  ${pad(who)}  ${text}`);
  }
}

/** Pads a coloured word to five columns. */
function pad(word: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape that starts a colour
  const width = word.replace(/\u001b\[\d+m/g, '').length;
  return word + ' '.repeat(Math.max(0, 5 - width));
}
