// SPDX-License-Identifier: Apache-2.0
// A real AgentSession with the real plugin, ears and a mouth in memory instead of a room.
import { once } from 'node:events';
import { ReadableStream, type ReadableStreamDefaultController } from 'node:stream/web';
import { type llm, voice } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import {
  RealtimeModel,
  type RealtimeModelOptions,
  type RealtimeSession,
} from 'livekit-plugin-nova-sonic';

/** The caller's microphone. */
class Microphone extends voice.AudioInput {
  #controller!: ReadableStreamDefaultController<AudioFrame>;

  constructor() {
    super();
    this.multiStream.addInputStream(
      new ReadableStream<AudioFrame>({
        start: (controller) => {
          this.#controller = controller;
        },
      }),
    );
  }

  push(frame: AudioFrame): void {
    this.#controller.enqueue(frame);
  }
}

/** The caller's loudspeaker: plays as fast as `speed` sets and records what was played. */
export class Loudspeaker extends voice.AudioOutput {
  /** Frames that were captured, with the time. */
  readonly frames: Array<{ at: number; ms: number }> = [];
  readonly cleared: number[] = [];
  #ms = 0;
  #startedAt = 0;
  #timer?: NodeJS.Timeout;

  constructor(readonly speed: number) {
    super(24_000);
  }

  override async captureFrame(frame: AudioFrame): Promise<void> {
    await super.captureFrame(frame);
    const ms = (frame.samplesPerChannel * 1_000) / frame.sampleRate;
    this.frames.push({ at: Date.now(), ms });
    if (this.#ms === 0) {
      this.#startedAt = Date.now();
      this.onPlaybackStarted(this.#startedAt);
    }
    this.#ms += ms;
  }

  override flush(): void {
    super.flush();
    if (this.#ms === 0 || this.#timer) return;
    const left = this.#ms / this.speed - (Date.now() - this.#startedAt);
    this.#timer = setTimeout(() => this.#finish(false), Math.max(0, left));
  }

  override clearBuffer(): void {
    this.cleared.push(Date.now());
    if (this.#ms > 0) this.#finish(true);
  }

  #finish(interrupted: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const played = Math.min(this.#ms, (Date.now() - this.#startedAt) * this.speed);
    this.#ms = 0;
    this.onPlaybackFinished({ playbackPosition: played / 1_000, interrupted });
  }

  get playedMs(): number {
    return this.frames.reduce((sum, f) => sum + f.ms, 0);
  }
}

export interface RigOptions {
  readonly model?: RealtimeModelOptions;
  readonly instructions?: string;
  readonly tools?: ConstructorParameters<typeof voice.Agent>[0]['tools'];
  readonly chatCtx?: llm.ChatContext;
  /** How many times faster than real time the loudspeaker plays. */
  readonly speed?: number;
  readonly agent?: voice.Agent;
}

/** Everything about one agent under test. */
export interface Rig {
  readonly model: RealtimeModel;
  readonly session: voice.AgentSession;
  readonly sonic: RealtimeSession;
  readonly agent: voice.Agent;
  readonly speaker: Loudspeaker;
  readonly errors: Array<{ recoverable: boolean; message: string }>;
  readonly items: llm.ChatMessage[];
  readonly transcripts: Array<{ text: string; final: boolean }>;
  readonly handles: voice.SpeechHandle[];
  /** Gives `ms` of audio to the agent, at once. */
  hear(ms: number, options?: { loud?: boolean; rate?: number; channels?: number }): void;
  /** The next event of the Sonic session with a name, that fits. */
  sonicEvent<T>(name: string, fits?: (payload: T) => boolean): Promise<T>;
  /** The next event of the AgentSession with a name, that fits. */
  event<T>(name: string, fits?: (payload: T) => boolean): Promise<T>;
  /** Resolves when a chat item with this role and text is (or was) added. */
  item(role: 'user' | 'assistant', includes?: string): Promise<llm.ChatMessage>;
  close(): Promise<void>;
}

export const CREDENTIALS = { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' };

/** Waits for an event that fits; listeners are removed again. */
function nextEvent<T>(
  emitter: {
    on(n: string, l: (p: T) => void): unknown;
    off(n: string, l: (p: T) => void): unknown;
  },
  name: string,
  fits: (payload: T) => boolean = () => true,
): Promise<T> {
  return new Promise((resolve) => {
    const listener = (payload: T) => {
      if (!fits(payload)) return;
      emitter.off(name, listener);
      resolve(payload);
    };
    emitter.on(name, listener);
  });
}

export async function startRig(endpoint: string, options: RigOptions = {}): Promise<Rig> {
  const model = new RealtimeModel({
    endpoint,
    credentials: CREDENTIALS,
    region: 'us-east-1',
    ...options.model,
  });
  let sonic: RealtimeSession | undefined;
  const make = model.session.bind(model);
  model.session = () => {
    sonic = make();
    return sonic;
  };
  const session = new voice.AgentSession({
    llm: model,
    vad: null,
    turnHandling: { turnDetection: 'realtime_llm' },
    aecWarmupDuration: null,
  });
  const agent =
    options.agent ??
    new voice.Agent({
      instructions: options.instructions ?? 'You are a test.',
      ...(options.tools && { tools: options.tools }),
      ...(options.chatCtx && { chatCtx: options.chatCtx }),
    });
  const microphone = new Microphone();
  const speaker = new Loudspeaker(options.speed ?? 20);
  session.input.audio = microphone;
  session.output.audio = speaker;

  const errors: Rig['errors'] = [];
  const items: llm.ChatMessage[] = [];
  const transcripts: Rig['transcripts'] = [];
  const handles: voice.SpeechHandle[] = [];
  const { AgentSessionEventTypes: Events } = voice;
  session.on(Events.Error, (event) => {
    const { error, recoverable } = event.error as { error: Error; recoverable: boolean };
    errors.push({ recoverable, message: error.message });
  });
  session.on(Events.ConversationItemAdded, ({ item }) => {
    if (item.type === 'message') items.push(item);
  });
  session.on(Events.UserInputTranscribed, (event) => {
    transcripts.push({ text: event.transcript, final: event.isFinal });
  });
  session.on(Events.SpeechCreated, ({ speechHandle }) => handles.push(speechHandle));
  await session.start({ agent });

  return {
    model,
    session,
    agent,
    speaker,
    errors,
    items,
    transcripts,
    handles,
    get sonic() {
      return sonic as RealtimeSession;
    },
    hear(ms, { loud = false, rate = 16_000, channels = 1 } = {}) {
      for (let left = ms; left > 0; left -= 10) {
        const samples = (rate * Math.min(10, left)) / 1_000;
        const data = new Int16Array(samples * channels);
        for (let i = 0; loud && i < data.length; i += 1) data[i] = 9_000 * Math.sin(i / 7);
        microphone.push(new AudioFrame(data, rate, channels, samples));
      }
    },
    sonicEvent: (name, fits) => nextEvent(sonic as never, name, fits),
    event: (name, fits) => nextEvent(session as never, name, fits),
    async item(role, includes = '') {
      const fits = (m: llm.ChatMessage) =>
        m.role === role && (m.textContent ?? '').includes(includes);
      for (;;) {
        const found = items.find(fits);
        if (found) return found;
        await once(session, Events.ConversationItemAdded);
      }
    },
    async close() {
      await session.close();
      await model.close();
    },
  };
}
