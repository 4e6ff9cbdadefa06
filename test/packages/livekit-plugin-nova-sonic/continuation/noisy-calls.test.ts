// SPDX-License-Identifier: Apache-2.0
// Up to 45 minutes in noise, in virtual time: real noise, real speech on top, what the real detector makes of both, and a
// service that answers speech and takes noise for nothing, or for speech without words.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import {
  createVoiceActivityDetector,
  VAD_WINDOW,
} from '../../../../packages/livekit-plugin-nova-sonic/src/audio/voice-activity.js';
import { beginContinuation, type FakeStream } from '../support/fake-streams.js';
import {
  babble,
  closeSynthesizer,
  NOISE_RATE,
  type NoiseKind,
  noise,
  speech,
} from '../support/noises.js';
import * as serverEvents from '../support/server-events.js';

const CHUNK_MS = 100;
const CHUNK = (NOISE_RATE * CHUNK_MS) / 1_000;
/** The noise is repeated; each time there is one question. A whole number of the detector's windows. */
const LOOP_MS = 40_000;
const LOOP_CHUNKS = LOOP_MS / CHUNK_MS;
const QUESTION_FROM_MS = 8_000;
/** Each half outlives a stream, which is renewed after six minutes. */
const CALL_MS = 18 * 60_000;
/** At the loudest. */
const LONG_CALL_MS = 45 * 60_000;
const SPEECH_DB = -20;

/** One loop of a caller's audio, and the detector's verdicts on it. */
interface Scene {
  readonly chunks: Uint8Array[];
  readonly probabilities: number[];
  /** Chunks of the question, the first and the one after the last. */
  readonly question: readonly [number, number];
}

async function scene(kind: NoiseKind, db: number): Promise<Scene> {
  const words = await speech('What is the weather like in Berlin tomorrow morning?', SPEECH_DB);
  const from = (QUESTION_FROM_MS * NOISE_RATE) / 1_000;
  const samples = kind === 'babble' ? await babble(LOOP_MS, db) : noise(kind, LOOP_MS, db);
  for (const [i, word] of words.entries())
    samples[from + i] = Math.max(-32_768, Math.min(32_767, (samples[from + i] as number) + word));
  const chunks = Array.from(
    { length: LOOP_CHUNKS },
    (_, i) => new Uint8Array(samples.slice(i * CHUNK, (i + 1) * CHUNK).buffer),
  );
  const detector = await createVoiceActivityDetector((error) => {
    throw error;
  });
  const probabilities: number[] = [];
  for (let i = 0; i < samples.length; i += VAD_WINDOW)
    probabilities.push(await detector.predict(samples.slice(i, i + VAD_WINDOW)));
  const first = QUESTION_FROM_MS / CHUNK_MS;
  return { chunks, probabilities, question: [first, first + Math.ceil(words.length / CHUNK)] };
}

/** What noise is to the service. */
interface Service {
  noise: 'silent' | 'false speech';
}

/** What the service makes of the audio of one stream. */
class StreamHearing {
  deaf = false;
  #read = 0;
  #heard = -1;
  #startAt = -1;

  constructor(
    readonly stream: FakeStream,
    readonly scene: Scene,
    readonly known: Map<string, number>,
    readonly service: Service,
    readonly answered: (whole: boolean) => void,
  ) {}

  listen(): void {
    const { written } = this.stream;
    for (; this.#read < written.length; this.#read += 1) {
      const input = written[this.#read]?.event.audioInput as { content: string } | undefined;
      const index = input && this.known.get(input.content);
      if (index !== undefined && !this.deaf) this.#chunk(index);
    }
    // 45 minutes of audio are not kept.
    const kept = written.filter(({ event }) => !event.audioInput);
    written.splice(0, written.length, ...kept);
    this.#read = kept.length;
  }

  #chunk(index: number): void {
    const [first, end] = this.scene.question;
    if (index >= first && index < end && this.#startAt < 0) this.#startAt = index;
    if (this.#startAt >= 0 && index === this.#startAt + 4)
      this.stream.say(serverEvents.speechStart());
    if (this.#startAt >= 0 && index === end + 8) {
      this.#heard = this.#startAt;
      this.#startAt = -1;
      this.stream.say(
        serverEvents.speechEnd(),
        ...serverEvents.userText('What is the weather?'),
        ...serverEvents.reply('It rains.', 80),
      );
      this.answered(this.#heard === first);
    }
    if (this.service.noise === 'false speech' && this.#startAt < 0 && index % 70 === 0)
      this.stream.say(serverEvents.speechStart(), serverEvents.speechEnd());
  }
}

function startCall(scene: Scene) {
  const service: Service = { noise: 'silent' };
  let window = 0;
  const rig = beginContinuation({
    detector: {
      predict: () => scene.probabilities[window++ % scene.probabilities.length] as number,
    },
  });
  const known = new Map(scene.chunks.map((pcm, i) => [Buffer.from(pcm).toString('base64'), i]));
  const hearing: StreamHearing[] = [];
  const answers: boolean[] = [];
  let position = 0;
  const run = (ms: number) => {
    for (let t = 0; t < ms; t += CHUNK_MS) {
      rig.clock.advance(CHUNK_MS);
      const pcm = scene.chunks[position++ % LOOP_CHUNKS] as Uint8Array;
      rig.continuation.audio({ pcm, at: rig.clock.now(), ms: CHUNK_MS });
      for (const [i, stream] of rig.streams.entries()) {
        hearing[i] ??= new StreamHearing(stream, scene, known, service, (whole) =>
          answers.push(whole),
        );
        if (stream.ended) continue;
        if (i > 0 && !stream.live) stream.open();
        hearing[i].listen();
      }
    }
  };
  return { rig, service, hearing, answers, run };
}

const KINDS = ['white', 'babble', 'music'] as const;
const LOUDEST = -26;
const LEVELS = [-50, -40, -32, LOUDEST];
const CASES = KINDS.flatMap((kind) => LEVELS.map((db) => [kind, db] as const));

describe('a long call in noise', () => {
  const scenes = new Map<string, Scene>();
  beforeAll(async () => {
    for (const [kind, db] of CASES) scenes.set(`${kind} ${db}`, await scene(kind, db));
  }, 300_000);
  afterAll(() => closeSynthesizer());

  test.each(CASES)(
    '%s at %i dBFS: no stream fails, every question is answered',
    (kind, db) => {
      const { rig, service, run, answers } = startCall(scenes.get(`${kind} ${db}`) as Scene);
      const callMs = db === LOUDEST ? LONG_CALL_MS : CALL_MS;
      run(callMs / 2);
      service.noise = 'false speech';
      run(callMs / 2);
      const questions = Math.ceil((callMs - QUESTION_FROM_MS) / LOOP_MS);
      expect(answers).toEqual(Array(questions).fill(true));
      expect(rig.failures).toEqual([]);
      expect(rig.internalErrors).toEqual([]);
      expect(rig.types().filter((type) => type === 'failed' || type === 'throttled')).toEqual([]);
      const renewals = rig.lifecycle.filter(({ type }) => type === 'renewed');
      // The service ends a stream after 480 s. Only other people's voices are taken for speech, and not for long.
      for (const { livedMs } of renewals) expect(livedMs).toBeLessThan(452_000);
      expect(renewals.length).toBeLessThan(
        (kind === 'babble' ? 16 : 8) * (callMs / LONG_CALL_MS) + 1,
      );
      for (const stream of rig.streams.filter(({ ended }) => ended))
        expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    },
    120_000,
  );

  test.each(CASES)(
    '%s at %i dBFS: a stream that has gone deaf is noticed within 10 s of speech',
    (kind, db) => {
      const { rig, run, hearing, answers } = startCall(scenes.get(`${kind} ${db}`) as Scene);
      run(15 * LOOP_MS);
      const asked = answers.length;
      const current = hearing.at(-1) as StreamHearing;
      current.deaf = true;
      run(QUESTION_FROM_MS);
      const { length } = rig.streams;
      run(10_000);
      expect(rig.streams.length).toBeGreaterThan(length);
      run(5_000);
      expect(answers).toHaveLength(asked + 1);
      expect(answers.at(-1)).toBe(true);
      expect(rig.failures).toEqual([]);
    },
    120_000,
  );
});
