// SPDX-License-Identifier: Apache-2.0
// A service that really listens, in virtual time: on each stream the emulator's detectors and its dialogue. Nothing
// tells it what in the audio is speech, and a fresh stream has yet to learn what is background.
import inference from '@livekit/local-inference';
import type { ClientEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/client-events.js';
import { DefaultScript } from '../../../../packages/nova-sonic-emulator/src/dialogue/default-script.js';
import { Dialogue } from '../../../../packages/nova-sonic-emulator/src/dialogue/dialogue.js';
import {
  NO_QUIRKS,
  PROFILES,
} from '../../../../packages/nova-sonic-emulator/src/dialogue/profile.js';
import type { EmulatorConfig } from '../../../../packages/nova-sonic-emulator/src/options.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import type { SessionLimits } from '../../../../packages/nova-sonic-emulator/src/session/session-limits.js';
import { UserInput } from '../../../../packages/nova-sonic-emulator/src/session/user-input.js';
import { ForegroundVoice } from '../../../../packages/nova-sonic-emulator/src/speech/foreground-voice.js';
import { settle } from '../../../support/manual-clock.js';
import type { SteppedClock } from './clocks.js';
import type { FakeStream } from './fake-streams.js';

const RATE = 24_000;
const WINDOW_MS = 32;
export const SENTENCE_MS = 1_500;
const LIMITS = { audio: () => {}, interaction: () => {} } as unknown as SessionLimits;

/** Silero, which answers from another thread: `idle` waits for it, as the virtual time does. */
export class Detectors {
  readonly #pending = new Set<Promise<number>>();

  create() {
    const vad = inference.createVad();
    return {
      predict: (samples: Int16Array): Promise<number> => {
        const answer = vad.predict(samples);
        this.#pending.add(answer);
        void answer.finally(() => this.#pending.delete(answer));
        return answer;
      },
    };
  }

  /** Resolves when nobody waits for a detector any more. */
  async idle(): Promise<void> {
    await settle();
    while (this.#pending.size > 0) {
      await Promise.all(this.#pending);
      await settle();
    }
  }
}

interface NoisyServiceOptions {
  readonly noise: EmulatorConfig['noise'];
  /** For so long every voice is the caller's; then only who is louder than the background. */
  readonly learnsMs: number;
  readonly seed: number;
}

/** The service's side of one stream. */
export class NoisyService {
  /** It hears nothing from now on. */
  deaf = false;
  #read = 0;
  #typed = false;
  readonly #input: UserInput;
  readonly #dialogue: Dialogue;

  constructor(
    private readonly stream: FakeStream,
    clock: SteppedClock,
    detectors: Detectors,
    { noise, seed, learnsMs }: NoisyServiceOptions,
  ) {
    const random = new SeededRandom(seed);
    this.#dialogue = new Dialogue({
      clock,
      random,
      profile: PROFILES.capture,
      textToSpeech: { say: async () => new Int16Array((RATE * SENTENCE_MS) / 1_000) },
      script: new DefaultScript(random),
      sink: {
        emit: (name, body) => {
          if (stream.ended) return;
          // As the SDK: the first event opens the stream.
          if (!stream.live) stream.open();
          stream.say({ [name]: body });
        },
        note: () => {},
        fail: (error) => {
          throw error;
        },
      },
      quirks: () => NO_QUIRKS,
    });
    const config = { noise, otherVoices: 'heard', limits: { primingAudioMs: 66 } };
    const createVad = () => {
      const vad = detectors.create();
      const foreground = new ForegroundVoice(vad);
      let heardMs = 0;
      return {
        predict: (samples: Int16Array) => {
          heardMs += WINDOW_MS;
          return (heardMs <= learnsMs ? vad : foreground).predict(samples);
        },
      };
    };
    const context = { config: config as EmulatorConfig, createVad };
    this.#input = new UserInput(context, this.#dialogue, LIMITS, (error) => {
      throw error;
    });
    this.#input.startAudio(16_000);
    void this.#dialogue.start({
      voice: { locale: 'en-US', register: 'feminine' },
      sampleRate: RATE,
      toolNames: new Set(),
    });
  }

  /** Takes what was written to the stream. */
  listen(): void {
    const { written, ended } = this.stream;
    if (ended) this.#dialogue.close();
    for (; !ended && this.#read < written.length; this.#read += 1)
      this.#take(written[this.#read] as ClientEvent);
    // 45 minutes of audio are not kept.
    const kept = written.filter(({ event }) => !event.audioInput);
    written.splice(0, written.length, ...kept);
    this.#read = kept.length;
  }
  #take({ event }: ClientEvent): void {
    const { audioInput, contentStart, textInput } = event as Record<string, Content | undefined>;
    if (audioInput && !this.deaf) this.#input.audio(Buffer.from(audioInput.content, 'base64'));
    if (contentStart) this.#typed = contentStart.type === 'TEXT' && contentStart.interactive;
    if (textInput && this.#typed) this.#input.typed(textInput.content);
  }
}

interface Content {
  readonly content: string;
  readonly type: string;
  readonly interactive: boolean;
}
