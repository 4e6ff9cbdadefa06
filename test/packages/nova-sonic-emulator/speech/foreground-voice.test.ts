// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ForegroundVoice } from '../../../../packages/nova-sonic-emulator/src/speech/foreground-voice.js';
import {
  createSileroVad,
  SpeechDetector,
  type SpeechEvent,
  type VoiceActivity,
} from '../../../../packages/nova-sonic-emulator/src/speech/speech-detector.js';
import {
  babble,
  closeSynthesizer,
  NOISE_RATE,
  speech,
} from '../../livekit-plugin-nova-sonic/support/noises.js';

const QUESTION_FROM_MS = 8_000;
const LENGTH_MS = 16_000;
const WINDOW = 512;

describe('a question in the babble of six people, 6 dB louder than they are', () => {
  let samples: Int16Array;
  let questionMs: number;

  beforeAll(async () => {
    const words = await speech('What is the weather like in Berlin tomorrow morning?', -20);
    questionMs = (words.length / NOISE_RATE) * 1_000;
    samples = await babble(LENGTH_MS, -26);
    const from = (QUESTION_FROM_MS * NOISE_RATE) / 1_000;
    for (const [i, word] of words.entries()) samples[from + i] = (samples[from + i] ?? 0) + word;
  });
  afterAll(closeSynthesizer);

  async function listen(vad: VoiceActivity): Promise<SpeechEvent[]> {
    const events: SpeechEvent[] = [];
    const probabilities: number[] = [];
    for (let i = 0; i + WINDOW <= samples.length; i += WINDOW)
      probabilities.push(await vad.predict(samples.slice(i, i + WINDOW)));
    const detector = new SpeechDetector(
      NOISE_RATE,
      () => ({ startMs: 352, pauseMs: 1_600 }),
      (event) => events.push(event),
      (error) => {
        throw error;
      },
      { predict: async () => probabilities.shift() ?? 0 },
    );
    detector.push(Buffer.from(samples.buffer));
    while (probabilities.length > 0) await new Promise(setImmediate);
    return events;
  }

  it('is part of one turn without an end when all voices are heard', async () => {
    const events = await listen(createSileroVad());
    expect(events[0]?.kind).toBe('start');
    expect(events[0]?.offsetMs).toBeLessThan(QUESTION_FROM_MS);
    expect(events.filter(({ kind }) => kind === 'end')).toEqual([]);
  });

  it('is a turn of its own when the others are ignored', async () => {
    const events = await listen(new ForegroundVoice(createSileroVad()));
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'end']);
    const [start, end] = events.map(({ offsetMs }) => offsetMs) as [number, number];
    expect(start).toBeGreaterThan(QUESTION_FROM_MS - 500);
    expect(start).toBeLessThan(QUESTION_FROM_MS + 500);
    expect(end).toBeGreaterThan(QUESTION_FROM_MS + questionMs * 0.7);
    expect(end).toBeLessThan(QUESTION_FROM_MS + questionMs + 500);
  });
});

it('changes nothing in a quiet room, however long somebody speaks', async () => {
  const vad = new ForegroundVoice({ predict: async () => 0.9 });
  const loud = Int16Array.from({ length: WINDOW }, (_, i) => 5_000 * Math.sin(i / 5));
  const quiet = new Int16Array(WINDOW);
  const heard: number[] = [];
  // Words and pauses, as people speak.
  for (let i = 0; i < 2_000; i++) heard.push(await vad.predict(i % 20 < 12 ? loud : quiet));
  const spoken = heard.filter((probability, i) => i % 20 < 12 && probability > 0.5);
  expect(spoken.length / (2_000 * 0.6)).toBeGreaterThan(0.9);
});
