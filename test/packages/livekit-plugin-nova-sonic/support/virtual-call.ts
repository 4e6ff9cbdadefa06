// SPDX-License-Identifier: Apache-2.0
// Long because LiveKit's side of a call is one thing with many hooks.
// A call in virtual time: the real session of the plugin, a simulated service, and what LiveKit's AgentSession does with
// a session: it plays generations one after the other, interrupts, runs tools and hands their results back.
import { llm } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import {
  RealtimeModel,
  type RealtimeModelOptions,
  type RealtimeSession,
} from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { settle } from '../../../support/manual-clock.js';
import { SteppedClock } from './clocks.js';
import type { SimulatedNetwork } from './simulated-network.js';
import {
  COUGH,
  type InterruptSigns,
  questionText,
  SimulatedSonic,
  SPEECH_BASE,
  speechOf,
  type Tools,
} from './simulated-sonic.js';

/** One generation as the caller experienced it. */
export interface Heard {
  /** The typed question whose `generateReply` it resolved. */
  readonly asked?: number;
  text: string;
  /** The question that each piece of audio answers. */
  readonly audio: number[];
  interrupted: boolean;
  done: boolean;
  playingUntil: number;
  /** It ended with its stream, when something of it had been heard already. */
  cut: boolean;
}

/** Longest wait for anything in a conversation, in virtual ms. */
const QUIET_MS = 60_000;
const MICROPHONE_MS = 200;
/** The samples of speech have high values, see SPEECH_BASE. */
const voiceFrom = (level: number) => ({
  predict: (samples: Int16Array) => ((samples[0] ?? 0) >= level ? 1 : 0),
});

export class VirtualCall {
  readonly clock = new SteppedClock();
  readonly sonic: SimulatedSonic;
  readonly model: RealtimeModel;
  session!: RealtimeSession;
  readonly heard: Heard[] = [];
  readonly errors: string[] = [];
  /** Typed questions whose request was given up before its reply began. */
  readonly abandoned = new Set<number>();
  /** Those that LiveKit gave up because of a sound that ended before they were typed, or that had no words: they stand. */
  readonly standing = new Set<number>();
  /** Typed questions that ended in an exception other than an abort. */
  readonly refused = new Map<number, string>();
  /** How often the tool ran for each call of the model, by the call's id. */
  readonly toolRuns = new Map<string, number>();
  /** The questions that a tool ran for. */
  readonly lookedUp = new Set<string>();
  bargeIns = 0;
  /** How often the call moved to a stream that was opened beside its own. */
  renewals = 0;
  speechStarts = 0;
  #playing: Promise<void> = Promise.resolve();
  #pending = new Map<number, { readonly abort: AbortController; readonly typedAt: number }>();
  #spokeAt = Number.NEGATIVE_INFINITY;
  /** One loudspeaker plays all generations, one after the other. */
  #playedUntil = 0;
  #callerSpeaks = false;
  #pushing = false;
  #closeMicrophone = () => {};
  /** When the call last left a stream. */
  #leftAt?: number;
  #otherTools = 0;
  #updates = 0;
  readonly #random: () => number;

  constructor(options: {
    network: SimulatedNetwork;
    random: () => number;
    signs?: InterruptSigns;
    model?: RealtimeModelOptions;
    /** The plugin's detector takes a cough for a voice, too. */
    coughIsVoice?: boolean;
  }) {
    this.#random = options.random;
    this.sonic = new SimulatedSonic(this.clock, options.network, options.random, options.signs);
    this.model = new RealtimeModel({
      region: 'us-east-1',
      clock: this.clock,
      client: this.sonic as never,
      inputChunkMs: 100,
      // The default one takes real time for each window, so that no seed would replay anything.
      voiceActivityDetector: () => voiceFrom(options.coughIsVoice ? COUGH : SPEECH_BASE),
      ...options.model,
    });
  }

  /** A new session, as at the start of a call or at a handoff. */
  async open(chatCtx = new llm.ChatContext()): Promise<void> {
    const session = this.model.session();
    this.session = session;
    session.on('generation_created', (event: llm.GenerationCreatedEvent) => {
      if (!event.userInitiated) this.#play(event, session);
    });
    session.on('input_speech_started', () => {
      this.speechStarts += 1;
      this.#callerSpeaks = true;
      void this.interrupt(true);
    });
    session.on('input_speech_stopped', () => {
      this.#callerSpeaks = false;
    });
    session.on('barge_in', () => {
      this.bargeIns += 1;
    });
    session.on('stream_lifecycle', ({ type }) => {
      if (type === 'renewed') this.renewals += 1;
      if (type !== 'opened' && type !== 'closed') this.#leftAt = this.clock.now();
    });
    session.on('error', ({ error }: llm.RealtimeModelError) => this.errors.push(error.message));
    await session._updateSession('Be brief.', chatCtx, this.#tools());
    await this.run(300);
  }

  #tools(): llm.ToolContext {
    const parameters = z.object({ questions: z.array(z.string()) });
    const run = async (toolCallId: string) => {
      this.toolRuns.set(toolCallId, (this.toolRuns.get(toolCallId) ?? 0) + 1);
      await new Promise<void>((resolve) =>
        this.clock.after(100 + this.#random() * 1_500, () => resolve()),
      );
    };
    const look_up = llm.tool({
      name: 'look_up',
      description: 'Looks something up',
      parameters,
      execute: async ({ questions }, { toolCallId }) => {
        for (const question of questions) this.lookedUp.add(question);
        await run(toolCallId);
        return { found: questions.join(' ') };
      },
    });
    const fail = llm.tool({
      name: 'fail',
      description: 'Fails',
      parameters,
      execute: async (_, { toolCallId }) => {
        await run(toolCallId);
        throw new llm.ToolError('nothing found');
      },
    });
    const others = Array.from({ length: this.#otherTools }, (_, i) =>
      llm.tool({ name: `other_${i}`, description: 'Is never called', execute: async () => i }),
    );
    return new llm.ToolContext([look_up, fail, ...others]);
  }

  /** The application changes what Sonic reads at the start of a stream only. */
  async update(what: 'tools' | 'instructions' | 'context'): Promise<void> {
    this.#updates += 1;
    if (what === 'tools') {
      this.#otherTools += 1;
      await this.session.updateTools(this.#tools());
    } else if (what === 'instructions')
      await this.session.updateInstructions(`Be brief, and version ${this.#updates}.`);
    else {
      const chatCtx = this.session.chatCtx.copy();
      chatCtx.addMessage({ role: 'system', content: `Remember note ${this.#updates}.` });
      await this.session.updateChatCtx(chatCtx);
    }
  }

  /** Moves the clock, and lets everything react to each timer in its order. */
  async run(ms: number): Promise<void> {
    const end = this.clock.now() + ms;
    await settle();
    for (
      let next = this.clock.nextAt;
      next !== undefined && next <= end;
      next = this.clock.nextAt
    ) {
      this.clock.advance(next - this.clock.now());
      await settle();
    }
    this.clock.advance(end - this.clock.now());
    await settle();
  }

  /** Runs until something holds. Returns false when it does not in a minute of virtual time. */
  async until(holds: () => boolean, stepMs = 50): Promise<boolean> {
    const end = this.clock.now() + QUIET_MS;
    while (!holds()) {
      if (this.clock.now() >= end) return false;
      await this.run(stepMs);
    }
    return true;
  }

  /** Typed questions whose `generateReply` has not settled. */
  get unsettled(): number {
    return this.#pending.size;
  }

  /** What the caller hears now. */
  get speaking(): Heard | undefined {
    return this.heard.find((h) => !h.done && h.audio.length > 0);
  }

  /** LiveKit's `AgentSession.interrupt()`; it does the same when it is told that the caller speaks. */
  async interrupt(bySpeech = false): Promise<void> {
    if (bySpeech)
      for (const [question, { typedAt }] of this.#pending)
        if (typedAt > this.#spokeAt) this.standing.add(question);
    this.#silence();
    await this.session.interrupt();
  }

  /** LiveKit's text input: `interrupt()`, then `generateReply({ userInput })`. */
  async type(question: number, tools: Tools = 0): Promise<void> {
    void this.interrupt();
    // LiveKit asks only once the caller is silent.
    await this.until(() => !this.#callerSpeaks, 10);
    const { session } = this;
    const chatCtx = session.chatCtx.copy();
    chatCtx.addMessage({ role: 'user', content: questionText(question, tools) });
    await session.updateChatCtx(chatCtx);
    const abort = new AbortController();
    this.#pending.set(question, { abort, typedAt: this.clock.now() });
    void session
      .generateReply(undefined, { signal: abort.signal })
      .then((event) => this.#play(event, session, question))
      .catch((error: Error) => {
        if (abort.signal.aborted) this.abandoned.add(question);
        else this.refused.set(question, error.message);
      })
      .finally(() => this.#pending.delete(question));
    await settle();
  }

  /** The caller speaks for a while. */
  async speak(
    question: number,
    { tools = 0, ms = 600 }: { tools?: Tools; ms?: number } = {},
  ): Promise<void> {
    this.sonic.spokenMs.set(question, ms);
    await this.#sound(speechOf(question, tools), ms);
  }

  /** The caller makes a sound that the service takes for speech. */
  async cough(ms: number): Promise<void> {
    await this.#sound(COUGH, ms);
  }

  async #sound(value: number, ms: number): Promise<void> {
    this.#pushing = true;
    for (let left = ms; left > 0; left -= 100) {
      this.session.pushAudio(new AudioFrame(new Int16Array(1_600).fill(value), 16_000, 1, 1_600));
      if (value !== COUGH) this.#spokeAt = this.clock.now() + 100;
      await this.run(100);
    }
    this.#pushing = false;
  }

  /** From now on there is sound all the time, as from a telephone: silence where nobody speaks. */
  openMicrophone(): void {
    const silence = new AudioFrame(
      new Int16Array(MICROPHONE_MS * 16),
      16_000,
      1,
      MICROPHONE_MS * 16,
    );
    if (!this.#pushing) this.session.pushAudio(silence);
    this.#closeMicrophone = this.clock.after(MICROPHONE_MS, () => this.openMicrophone());
  }

  /** Another agent takes over with the conversation so far. */
  async handoff(): Promise<void> {
    const chatCtx = this.session.chatCtx.copy();
    this.#silence();
    void this.session.close();
    await this.open(chatCtx);
  }

  #silence(): void {
    for (const heard of this.heard) if (!heard.done) heard.interrupted = true;
    for (const { abort } of this.#pending.values()) abort.abort();
    this.#playedUntil = 0;
  }

  #play(event: llm.GenerationCreatedEvent, session: RealtimeSession, asked?: number): void {
    const heard: Heard = {
      asked,
      text: '',
      audio: [],
      interrupted: false,
      done: false,
      playingUntil: 0,
      cut: false,
    };
    this.heard.push(heard);
    const calls: llm.FunctionCall[] = [];
    const read = Promise.all([
      this.#readMessages(event, heard),
      (async () => {
        for await (const call of event.functionStream) calls.push(call);
      })(),
    ]);
    void read.then(() => {
      heard.cut = heard.audio.length > 0 && this.#leftAt === this.clock.now();
    });
    const before = this.#playing;
    this.#playing = (async () => {
      await before;
      await read;
      while (!heard.interrupted && this.clock.now() < heard.playingUntil)
        await new Promise<void>((resolve) => this.clock.after(40, () => resolve()));
      heard.done = true;
    })();
    // A tool runs at once; its result waits for the words before it.
    void (async () => {
      await read;
      for (const call of calls) void this.#call(call, session, heard, this.#playing);
    })();
  }

  async #readMessages(event: llm.GenerationCreatedEvent, heard: Heard): Promise<void> {
    for await (const message of event.messageStream) {
      await Promise.all([
        (async () => {
          for await (const text of message.textStream) heard.text += String(text);
        })(),
        (async () => {
          for await (const frame of message.audioStream) {
            if (heard.interrupted) continue;
            heard.audio.push(frame.data[0] as number);
            const ms = (frame.samplesPerChannel * 1_000) / frame.sampleRate;
            this.#playedUntil = Math.max(this.clock.now(), this.#playedUntil) + ms;
            heard.playingUntil = this.#playedUntil;
          }
        })(),
      ]);
    }
  }

  async #call(
    call: llm.FunctionCall,
    session: RealtimeSession,
    heard: Heard,
    played: Promise<void>,
  ): Promise<void> {
    const tool = session.tools.getFunctionTool(call.name);
    let isError = false;
    let output: string;
    try {
      const options = { toolCallId: call.callId } as never;
      output = JSON.stringify(await tool?.execute(JSON.parse(call.args), options));
    } catch (error) {
      isError = true;
      output = (error as Error).message;
    }
    await played;
    if (heard.interrupted && heard.audio.length > 0) return;
    const chatCtx = session.chatCtx.copy();
    chatCtx.items.push(
      llm.FunctionCallOutput.create({
        callId: call.callId,
        name: call.name,
        output,
        isError,
      }),
    );
    await session.updateChatCtx(chatCtx);
  }

  async close(): Promise<void> {
    this.#closeMicrophone();
    const closed = this.model.close();
    await this.run(3_000);
    await closed;
  }
}
