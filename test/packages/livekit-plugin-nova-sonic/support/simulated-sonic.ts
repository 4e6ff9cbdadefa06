// SPDX-License-Identifier: Apache-2.0
// Long because one stream of the service has all of its states here.
// Nova Sonic in virtual time, behind a network with delay and jitter: a Bedrock client that hears, answers, calls tools
// and is spoken or typed over, by a clock that a test moves.
import type { Clock } from 'livekit-plugin-nova-sonic';
import * as serverEvents from './server-events.js';
import { Pipe, type SimulatedNetwork } from './simulated-network.js';

type Json = Record<string, unknown>;

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/**
 * How the service shows that a reply was ended by what the caller said or typed; `runs-on`: typed text does not end it,
 * and speech ends it without a sign.
 */
export type InterruptSigns = 'text' | 'stop-reason' | 'both' | 'runs-on';

/** How many tools a question needs; the second of two fails. */
export type Tools = 0 | 1 | 2;

interface Reply {
  /** Numbers of the questions that it answers. */
  readonly answers: readonly number[];
  /** Sentences that are still to be said. */
  sentences: number;
  /** How many tools are to be called first, all at once. */
  tools: Tools;
  speaking: boolean;
  contentId?: string;
  cancel?: () => void;
}

/** Milliseconds of the service's work, roughly those of the capture. */
const THINK_MS = [300, 900] as const;
const SENTENCE_MS = 1_200;
/** The service generates five times as fast as it is played, in pieces. */
const PIECE_MS = 240;
const PIECE_EVERY_MS = 48;
const END_OF_SPEECH_MS = 700;
/** How much of speech there is when the service reports its beginning: 370 ms in the capture. */
const REPORTED_AFTER_MS = 300;
/** Offsets are those of the sound: its beginning is not noticed at its first sample. */
const ONSET_MS = 50;
/** Sound is looked at in steps of this. */
const STEP_MS = 100;
/** The transcript of speech comes before the report of its end in so many cases (both orders were seen by others). */
const TEXT_FIRST = 0.15;
/** A stream ends after 8 minutes, and after 55 s without audio or interactive text. */
const LIFETIME_MS = 480_000;
const STARVED_MS = 55_000;
const STARVED_CHECK_MS = 5_000;

/** Questions are numbered: `q7` in a text, samples of the value 2000 + 7 in speech. */
export const questionText = (n: number, tools: Tools = 0): string =>
  `q${n}${['', ' tool', ' tools'][tools]}?`;
const toolsIn = (text: string): Tools =>
  /returned|failed/.test(text) ? 0 : / tools/.test(text) ? 2 : / tool/.test(text) ? 1 : 0;
const questionsIn = (text: string): number[] => [
  ...new Set([...text.matchAll(/q(\d+)/g)].map((m) => Number(m[1]))),
];
export const SPEECH_BASE = 2_000;
/** The value of the samples of a cough: it counts as speech, and no words are found in it. */
export const COUGH = 1_500;
/** What the service answers when it understood nothing is about no question. */
const NOT_UNDERSTOOD = 0;
/** The value of the samples: 2000 more for each tool. */
export const speechOf = (n: number, tools: Tools): number => SPEECH_BASE * (1 + tools) + n;

interface Speech {
  readonly from: number;
  /** How much was heard of each question (ms), by the value of its samples. */
  readonly heard: Map<number, number>;
  voicedMs: number;
  silentMs: number;
  reported: boolean;
}

/** One stream, as the service sees it. */
export class SimulatedStream {
  readonly texts: string[] = [];
  readonly toolResults: string[] = [];
  #over = false;
  #queue: Reply[] = [];
  #active?: Reply;
  #playingUntil = 0;
  #block?: { role: string; interactive: boolean; text: string };
  #toolUse?: string;
  readonly #waiting = new Map<string, { reply: Reply; results: number }>();
  /** Replies that speech came before. */
  #postponed: Reply[] = [];
  /** What its last reply was about, and the one that speech ended. */
  #spoken: readonly number[] = [];
  #stopped: readonly number[] = [];
  /** Questions at the end of the history, after the model's last words: the next speech goes on from there. */
  #open: number[] = [];
  #speech?: Speech;
  #deaf = false;
  #hung = false;
  #audioMs = 0;
  #uses = 0;
  #fedAt: number;
  #cancelLimits = () => {};
  readonly #toClient: Pipe<Json | Error | undefined>;

  constructor(
    readonly index: number,
    readonly service: SimulatedSonic,
    deliver: (event: Json | Error | undefined) => void,
  ) {
    const { clock, network, random } = service;
    this.#toClient = new Pipe(clock, network, random, deliver);
    this.#fedAt = clock.now();
    this.#watchLimits(clock.now() + LIFETIME_MS);
  }

  get open(): boolean {
    return !this.#over;
  }

  /** It hears or does nothing any more. */
  get useless(): boolean {
    return this.#deaf || this.#hung;
  }

  /** The connection breaks; without an error it just ends, as the SDK shows a connection that was lost. */
  fail(error?: Error): void {
    if (this.#over) return;
    this.#end();
    this.#toClient.send(error);
  }

  /** Hears nothing from now on, and stays open. */
  deafen(): void {
    this.#deaf = true;
  }

  /** Does nothing any more, and stays open. */
  hang(): void {
    this.#hung = true;
    this.#active?.cancel?.();
  }

  #watchLimits(diesAt: number): void {
    const { clock } = this.service;
    const ms = Math.min(STARVED_CHECK_MS, diesAt - clock.now());
    this.#cancelLimits = clock.after(ms, () => {
      const starved = clock.now() - this.#fedAt > STARVED_MS;
      if (!starved && clock.now() < diesAt) {
        this.#watchLimits(diesAt);
        return;
      }
      this.service.limitsReached += 1;
      const error = starved
        ? ['ValidationException', 'Timed out waiting for audio bytes or interactive content.']
        : ['ModelTimeoutException', 'Model has timed out in processing the request.'];
      this.fail(Object.assign(new Error(error[1]), { name: error[0] }));
    });
  }

  received(name: string, body: Json): void {
    if (this.#over) return;
    if (name === 'audioInput' || name === 'textInput') this.#fedAt = this.service.clock.now();
    if (this.#hung && name !== 'sessionEnd') return;
    if (name === 'promptStart') this.#say({ usageEvent: { details: {} } });
    else if (name === 'contentStart' && body.type === 'TEXT')
      this.#block = { role: String(body.role), interactive: body.interactive === true, text: '' };
    else if (name === 'contentStart' && body.type === 'TOOL')
      this.#toolUse = (body.toolResultInputConfiguration as { toolUseId: string }).toolUseId;
    else if (name === 'textInput' && this.#block) this.#block.text += String(body.content);
    else if (name === 'contentEnd' && this.#block) this.#textEnd();
    else if (name === 'audioInput') this.#audio(Buffer.from(String(body.content), 'base64'));
    else if (name === 'toolResult') this.#toolResult(String(body.content));
    else if (name === 'sessionEnd') {
      this.#end();
      this.#toClient.send(undefined);
    }
  }

  #textEnd(): void {
    const block = this.#block as { role: string; interactive: boolean; text: string };
    this.#block = undefined;
    this.texts.push(block.text);
    if (!block.interactive) {
      const known = block.text.replace(/\[The tool [^\n]* its result has not come yet\.\]/g, '');
      this.#open = block.role === 'USER' ? questionsIn(known) : [];
      return;
    }
    this.#interrupt('text');
    // A client that asks for the last question means the one in the history; or for the rest of a reply.
    const asked = /last question/.test(block.text)
      ? this.#lastQuestion()
      : /stopped your answer/.test(block.text)
        ? [...this.#stopped]
        : questionsIn(block.text);
    this.#answer(asked, toolsIn(block.text));
  }

  #lastQuestion(): number[] {
    return questionsIn(this.texts.join(' ')).slice(-1);
  }

  /** Speech is detected after a while and ends after a pause. */
  #audio(pcm: Buffer): void {
    const step = STEP_MS * 32;
    for (let at = 0; at < pcm.length; at += step) {
      const ms = Math.min(step, pcm.length - at) / 32;
      this.#audioMs += ms;
      const value = pcm.length >= at + 2 ? pcm.readInt16LE(at) : 0;
      if (this.#deaf) continue;
      if (value >= COUGH) this.#voice(value, ms);
      else if (this.#speech) this.#silence(this.#speech, ms);
    }
  }

  #voice(value: number, ms: number): void {
    const from = this.#audioMs - ms;
    if (!this.#speech) {
      this.#speech = { from, heard: new Map(), voicedMs: 0, silentMs: 0, reported: false };
      // Speech before an answer has begun is one question with what was said and typed before.
      if (this.#active && !this.#active.speaking) {
        this.#active.cancel?.();
        this.#queue.unshift(this.#active);
        this.#active = undefined;
      }
      this.#postponed.push(...this.#queue.splice(0));
    }
    const speech = this.#speech;
    speech.heard.set(value, (speech.heard.get(value) ?? 0) + ms);
    speech.voicedMs += ms;
    speech.silentMs = 0;
    if (speech.reported || speech.voicedMs < REPORTED_AFTER_MS) return;
    speech.reported = true;
    this.#say(serverEvents.speechStart(speech.from + ONSET_MS));
    this.#interrupt('speech');
  }

  #silence(speech: Speech, ms: number): void {
    speech.silentMs += ms;
    if (speech.silentMs < END_OF_SPEECH_MS) return;
    this.#speech = undefined;
    const { random } = this.service;
    const end = serverEvents.speechEnd(this.#audioMs - speech.silentMs, this.#audioMs);
    const words = [...speech.heard]
      .filter(([value]) => value !== COUGH)
      .map(([value, heardMs]) => this.#understand(value, heardMs));
    if (!speech.reported || words.length === 0) {
      if (speech.reported) this.#say(end);
      // What it had to answer before it answers now.
      this.#queue.unshift(...this.#postponed.splice(0));
      this.#next();
      return;
    }
    const text = serverEvents.userText(words.map((word) => word.text).join(' '));
    this.#say(...(random() < TEXT_FIRST ? [...text, end] : [end, ...text]));
    const answers = [
      ...this.#open.splice(0),
      ...this.#postponed.splice(0).flatMap((reply) => reply.answers),
    ];
    answers.push(...words.flatMap((word) => word.question ?? []));
    const tools = Math.max(...words.map((word) => word.tools)) as Tools;
    this.#answer(answers.length > 0 ? [...new Set(answers)] : [NOT_UNDERSTOOD], tools);
  }

  /** Words are understood where all of them were heard; heard twice they are there twice. */
  #understand(value: number, heardMs: number): { text: string; question?: number; tools: Tools } {
    const tools = (Math.floor(value / SPEECH_BASE) - 1) as Tools;
    const question = value % SPEECH_BASE;
    const times = heardMs / (this.service.spokenMs.get(question) ?? heardMs);
    if (times < 1) return { text: 'Hm', tools: 0 };
    return {
      text: Array(Math.ceil(times)).fill(questionText(question, tools)).join(' '),
      question,
      tools,
    };
  }

  #toolResult(content: string): void {
    this.toolResults.push(content);
    const waiting = this.#waiting.get(this.#toolUse ?? '');
    this.#waiting.delete(this.#toolUse ?? '');
    if (!waiting) return;
    waiting.results -= 1;
    if (waiting.results === 0) this.#enqueue(waiting.reply);
  }

  #answer(answers: number[], tools: Tools): void {
    if (answers.length === 0) return;
    const sentences = 1 + Math.floor(this.service.random() * 3);
    this.#enqueue({ answers, sentences, tools, speaking: false });
  }

  #enqueue(reply: Reply): void {
    this.#queue.push(reply);
    this.#next();
  }

  #next(): void {
    if (this.#active || this.#speech || this.#over || this.#hung) return;
    const reply = this.#queue.shift();
    if (!reply) return;
    this.#active = reply;
    const [low, high] = THINK_MS;
    this.#after(low + this.service.random() * (high - low), () => this.#begin(reply));
  }

  #begin(reply: Reply): void {
    this.#open = [];
    if (reply.tools > 0) {
      const waiting = { reply: { ...reply, tools: 0 as const }, results: reply.tools };
      const questions = reply.answers.map((n) => `q${n}`);
      for (const name of ['look_up', 'fail'].slice(0, reply.tools)) {
        this.#uses += 1;
        const id = `use-${this.index}-${this.#uses}`;
        this.#say(...serverEvents.toolUse(name, { questions }, id));
        this.#waiting.set(id, waiting);
      }
      this.#finish();
      return;
    }
    reply.speaking = true;
    this.#spoken = reply.answers;
    this.#sentence(reply);
  }

  #sentence(reply: Reply): void {
    const names = reply.answers.map((n) => `q${n}`).join(' and ');
    this.#say(...serverEvents.plan(`Answer to ${names}, ${reply.sentences} to go.`));
    const contentId = serverEvents.newContentId();
    reply.contentId = contentId;
    reply.sentences -= 1;
    this.#say(serverEvents.audioContentStart(contentId));
    this.#pieces(reply, contentId, SENTENCE_MS);
  }

  #pieces(reply: Reply, contentId: string, left: number): void {
    const samples = new Int16Array(24 * PIECE_MS).fill(reply.answers.at(-1) as number);
    const content = Buffer.from(samples.buffer).toString('base64');
    this.#say({ audioOutput: { contentId, role: 'ASSISTANT', content } });
    const now = this.service.clock.now();
    this.#playingUntil = Math.max(now, this.#playingUntil) + PIECE_MS;
    this.#after(PIECE_EVERY_MS, () => {
      if (left > PIECE_MS) {
        this.#pieces(reply, contentId, left - PIECE_MS);
        return;
      }
      const last = reply.sentences === 0;
      this.#say(serverEvents.audioEnd(contentId, last ? 'END_TURN' : 'PARTIAL_TURN'));
      if (last) this.#finish();
      else this.#after(20, () => this.#sentence(reply));
    });
  }

  #finish(): void {
    this.#active = undefined;
    this.#next();
  }

  /** The caller spoke or typed while the service believes that a reply is being heard. */
  #interrupt(cause: 'text' | 'speech'): void {
    const { clock, signs } = this.service;
    const reply = this.#active?.speaking ? this.#active : undefined;
    if (!reply && clock.now() >= this.#playingUntil) return;
    if (cause === 'speech') this.#stopped = this.#spoken;
    const bare = signs === 'runs-on';
    if (bare && cause === 'text') return;
    if (reply) {
      reply.cancel?.();
      this.#active = undefined;
      if (signs !== 'text' && !bare && reply.contentId)
        this.#say(serverEvents.audioEnd(reply.contentId, 'INTERRUPTED'));
    }
    if (!bare && (signs !== 'stop-reason' || !reply)) this.#say(...serverEvents.interruptedText());
    this.#playingUntil = clock.now();
    this.#next();
  }

  #after(ms: number, run: () => void): void {
    const reply = this.#active;
    const cancel = this.service.clock.after(ms, () => {
      if (!this.#over && !this.#hung) run();
    });
    if (reply) reply.cancel = cancel;
  }

  #say(...events: Json[]): void {
    if (this.#hung) return;
    for (const event of events) this.#toClient.send(event);
  }

  #end(): void {
    this.#over = true;
    this.#cancelLimits();
    this.#active?.cancel?.();
    this.#queue = [];
  }
}

/** The service, as a client of the AWS SDK. */
export class SimulatedSonic {
  readonly streams: SimulatedStream[] = [];
  /** The next connections that are refused. */
  refuse = 0;
  /** How long each question takes to say (ms): a part of that is not understood. */
  readonly spokenMs = new Map<number, number>();
  /** Streams that the service ended, because they were too old or got no audio. */
  limitsReached = 0;

  constructor(
    readonly clock: Clock,
    readonly network: SimulatedNetwork,
    readonly random: () => number,
    readonly signs: InterruptSigns = 'both',
  ) {}

  get current(): SimulatedStream | undefined {
    return this.streams.findLast((stream) => stream.open);
  }

  async send(command: {
    input: { body?: AsyncIterable<{ chunk?: { bytes?: Uint8Array } }> };
  }): Promise<{ body: AsyncIterable<{ chunk: { bytes: Uint8Array } }> }> {
    if (this.refuse > 0) {
      this.refuse -= 1;
      throw Object.assign(new Error('Too many requests'), { name: 'ThrottlingException' });
    }
    const arrived: Array<Json | Error | undefined> = [];
    let wake = () => {};
    const stream = new SimulatedStream(this.streams.length, this, (event) => {
      arrived.push(event);
      wake();
    });
    this.streams.push(stream);
    const toService = new Pipe<[string, Json]>(
      this.clock,
      this.network,
      this.random,
      ([name, body]) => stream.received(name, body),
    );
    void (async () => {
      for await (const { chunk } of command.input.body ?? []) {
        const { event } = JSON.parse(DECODER.decode(chunk?.bytes)) as { event: Json };
        toService.send(Object.entries(event)[0] as [string, Json]);
      }
    })();
    const next = async (): Promise<Json | undefined> => {
      while (arrived.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const event = arrived.shift();
      if (event instanceof Error) throw event;
      return event;
    };
    const encode = (event: Json) => ({
      chunk: { bytes: ENCODER.encode(JSON.stringify({ event })) },
    });
    const first = await next();
    return {
      body: (async function* () {
        for (let event = first; event; event = await next()) yield encode(event);
      })(),
    };
  }
}
