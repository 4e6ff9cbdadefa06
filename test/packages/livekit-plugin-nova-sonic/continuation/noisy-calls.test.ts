// SPDX-License-Identifier: Apache-2.0
// Calls in noise, in virtual time: real noise, real speech on top, and at both ends detectors that have to find it: the
// plugin's, and the emulator's on each stream (support/noisy-service.ts). A stream is renewed after one minute, not six.
// `npm run test:conversations` plays 45 minutes, at all levels.
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  createVoiceActivityDetector,
  VAD_WINDOW,
} from '../../../../packages/livekit-plugin-nova-sonic/src/audio/voice-activity.js';
import type { Effect } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';
import { settle } from '../../../support/manual-clock.js';
import { rigContinuation } from '../support/fake-streams.js';
import {
  babble,
  closeSynthesizer,
  NOISE_RATE,
  type NoiseKind,
  noise,
  speech,
} from '../support/noises.js';
import { Detectors, NoisyService, SENTENCE_MS } from '../support/noisy-service.js';

const CHUNK_MS = 100;
const CHUNK = (NOISE_RATE * CHUNK_MS) / 1_000;
/** The noise is repeated; each time there is one question. A whole number of the detector's windows. */
const LOOP_MS = 40_000;
const QUESTION_FROM_MS = 12_000;
const CALL_LOOPS = 4;
const RENEW_AFTER_MS = 60_000;
const SPEECH_DB = -20;
const LEAD_MS = 1_000;
/** The emulator's default replies have two sentences or more. */
const ANSWER_MS = 2 * SENTENCE_MS;

/** One loop of a caller's audio, and the detector's verdicts on it. */
interface Scene {
  readonly chunks: Uint8Array[];
  readonly probabilities: number[];
  readonly questionMs: number;
}

async function scene(kind: NoiseKind, db: number): Promise<Scene> {
  const words = await speech('What is the weather like in Berlin tomorrow morning?', SPEECH_DB);
  const from = (QUESTION_FROM_MS * NOISE_RATE) / 1_000;
  const samples = kind === 'babble' ? await babble(LOOP_MS, db) : noise(kind, LOOP_MS, db);
  for (const [i, word] of words.entries())
    samples[from + i] = Math.max(-32_768, Math.min(32_767, (samples[from + i] as number) + word));
  const chunks = Array.from(
    { length: LOOP_MS / CHUNK_MS },
    (_, i) => new Uint8Array(samples.slice(i * CHUNK, (i + 1) * CHUNK).buffer),
  );
  const detector = await createVoiceActivityDetector((error) => {
    throw error;
  });
  const probabilities: number[] = [];
  for (let i = 0; i < samples.length; i += VAD_WINDOW)
    probabilities.push(await detector.predict(samples.slice(i, i + VAD_WINDOW)));
  return { chunks, probabilities, questionMs: (words.length * 1_000) / NOISE_RATE };
}

/** What was played of a reply (ms since the epoch). */
type Played = { readonly from: number; to: number };

class NoisyCall {
  /** What noise is to the streams that are opened from now on. */
  noise: 'silent' | 'false-speech' = 'silent';
  readonly services: NoisyService[] = [];
  /** When each question ended. */
  readonly questions: number[] = [];
  readonly played: Played[] = [];
  readonly rig;
  readonly #detectors = new Detectors();
  #window = 0;
  #position = 0;
  #effects = 0;

  /** @param learnsMs how long a stream takes everybody around for the caller */
  constructor(
    readonly scene: Scene,
    readonly learnsMs: number,
  ) {
    const { probabilities } = scene;
    const predict = () => probabilities[this.#window++ % probabilities.length] as number;
    this.rig = rigContinuation({ detector: { predict }, renewAfterMs: RENEW_AFTER_MS });
    this.rig.continuation.start();
    this.#attend();
  }

  async run(ms: number): Promise<void> {
    const { rig, scene } = this;
    for (let t = 0; t < ms; t += CHUNK_MS) {
      await this.#pass();
      const pcm = scene.chunks[this.#position % scene.chunks.length] as Uint8Array;
      this.#position += 1;
      rig.continuation.audio({ pcm, at: rig.clock.now(), ms: CHUNK_MS });
      this.#attend();
      await this.#detectors.idle();
      this.#attend();
      const at = (this.#position * CHUNK_MS) % LOOP_MS;
      const over = QUESTION_FROM_MS + scene.questionMs;
      if (at >= over && at < over + CHUNK_MS) this.questions.push(rig.clock.now());
    }
  }

  /** Whether the caller heard as much as an answer has before the next question; in one piece, unless a noise cuts it. */
  get answered(): boolean[] {
    return this.questions.map((at) => {
      const heard = this.played.filter(({ from }) => from > at && from < at + 20_000);
      return heard.reduce((ms, { from, to }) => ms + to - from, 0) >= ANSWER_MS;
    });
  }

  /** Runs until shortly before a question, on a stream of some age on which nobody speaks. */
  async untilQuestion(): Promise<void> {
    for (let loops = 0; loops < 4; loops += 1) {
      await this.run(QUESTION_FROM_MS - LEAD_MS);
      const { lifecycle, clock, conversation } = this.rig;
      const age = clock.now() - (lifecycle.findLast(({ type }) => type === 'renewed')?.at ?? 0);
      if (age > 5_000 && !conversation.userSpeaking) return;
      await this.run(LOOP_MS - QUESTION_FROM_MS + LEAD_MS);
    }
    throw new Error('somebody speaks before each question');
  }

  async #pass(): Promise<void> {
    const { clock } = this.rig;
    const end = clock.now() + CHUNK_MS;
    for (let next = clock.nextAt; next !== undefined && next <= end; next = clock.nextAt) {
      clock.advance(next - clock.now());
      await settle();
      this.#attend();
    }
    clock.advance(end - clock.now());
  }

  #attend(): void {
    const { rig, services } = this;
    for (const [i, stream] of rig.streams.entries()) {
      services[i] ??= new NoisyService(stream, rig.clock, this.#detectors, {
        noise: this.noise,
        learnsMs: this.learnsMs,
        seed: i + 1,
      });
      services[i].listen();
    }
    for (; this.#effects < rig.effects.length; this.#effects += 1)
      this.#hear(rig.effects[this.#effects] as Effect);
  }

  #hear(effect: Effect): void {
    const now = this.rig.clock.now();
    const last = this.played.at(-1);
    if (effect.type === 'barge_in' && last) last.to = Math.min(last.to, now);
    if (effect.type !== 'generation_closed') return;
    const { firstAudioAt = now, audioMs } = effect.response;
    const from = Math.max(firstAudioAt, last?.to ?? 0);
    this.played.push({ from, to: effect.reason === 'end_turn' ? from + audioMs : now });
  }
}

const KINDS = ['white', 'babble', 'music'] as const;
const LOUDEST = -26;
/** dBFS. By default the quietest and the loudest of all. */
const LEVELS = (process.env.NOISE_LEVELS ?? `-50,${LOUDEST}`).split(',').map(Number);
const CASES = [
  ...KINDS.flatMap((kind) => LEVELS.map((db) => [kind, db, 0] as const)),
  ['babble', LOUDEST, 3_000] as const,
];

describe('a call in noise', () => {
  afterAll(() => closeSynthesizer());

  test.each(CASES)(
    '%s at %i dBFS, background to a stream after %i ms: no failure, every question answered, a deaf stream noticed',
    async (kind, db, learnsMs) => {
      const call = new NoisyCall(await scene(kind, db), learnsMs);
      const { rig, services } = call;
      await call.run((CALL_LOOPS / 2) * LOOP_MS);
      call.noise = 'false-speech';
      await call.run((CALL_LOOPS / 2) * LOOP_MS);
      expect(call.answered).toEqual(Array(CALL_LOOPS).fill(true));
      const renewals = rig.lifecycle.filter(({ type }) => type === 'renewed');
      for (const { livedMs } of renewals) expect(livedMs).toBeLessThan(RENEW_AFTER_MS + 91_000);
      const suspected = renewals.filter(({ reason }) => reason !== 'age');
      // Other people's voices are taken for the caller's, once, and for no speech of anybody from then on.
      expect(suspected.length).toBeLessThanOrEqual(kind === 'babble' ? 2 : 0);
      // Where noise is taken for speech again and again there is no quiet moment: then 90 s later.
      expect(renewals.length - suspected.length).toBeGreaterThanOrEqual(1);

      await call.untilQuestion();
      const asked = call.questions.length;
      for (const service of services) service.deaf = true;
      const { length } = rig.streams;
      await call.run(LEAD_MS + 10_000);
      expect(rig.streams.length).toBeGreaterThan(length);
      await call.run(LOOP_MS - QUESTION_FROM_MS - 10_000);
      expect(call.questions).toHaveLength(asked + 1);
      expect(call.answered.at(-1)).toBe(true);

      expect(rig.failures).toEqual([]);
      expect(rig.internalErrors).toEqual([]);
      expect(rig.types().filter((type) => type === 'failed' || type === 'throttled')).toEqual([]);
      for (const stream of rig.streams.filter(({ ended }) => ended))
        expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    },
    600_000,
  );
});
