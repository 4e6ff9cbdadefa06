// SPDX-License-Identifier: Apache-2.0
// What surrounds a caller, at 16 kHz, and what a caller says (espeak-ng).
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import seedrandom from 'seedrandom';

export const NOISE_RATE = 16_000;
export type NoiseKind = 'white' | 'babble' | 'music';

const synthesizer = new SpeechSynthesizer();
/** Ends the synthesizer's thread. */
export const closeSynthesizer = (): Promise<void> => synthesizer.close();

/** The same samples at a level: root of the mean square in dB relative to full scale. */
export function atLevel(samples: ArrayLike<number>, db: number): Int16Array {
  const { length } = samples;
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (samples[i] as number) ** 2;
  const gain = (32_768 * 10 ** (db / 20)) / Math.sqrt(sum / length);
  const scaled = new Int16Array(length);
  for (let i = 0; i < length; i++)
    scaled[i] = Math.max(-32_768, Math.min(32_767, (samples[i] as number) * gain));
  return scaled;
}

/** Synthesis is the slow part: the same words at another level are the same samples. */
const spoken = new Map<string, Promise<Int16Array>>();

/** Somebody says something. */
export async function speech(
  text: string,
  db: number,
  register: 'feminine' | 'masculine' = 'feminine',
): Promise<Int16Array> {
  const key = `${register} ${text}`;
  const said = spoken.get(key) ?? synthesizer.say(text, { locale: 'en-US', register }, NOISE_RATE);
  spoken.set(key, said);
  return atLevel(await said, db);
}

/** White noise, or music: chords with a beat and a snare. Before it has a level. */
function unscaledNoise(kind: 'white' | 'music', ms: number): Float32Array {
  const random = seedrandom(kind);
  const samples = new Float32Array((ms * NOISE_RATE) / 1_000);
  const chords = [
    [220, 277.2, 329.6],
    [196, 246.9, 293.7],
    [174.6, 220, 261.6],
    [164.8, 207.7, 246.9],
  ];
  for (let i = 0; i < samples.length; i++) {
    const hiss = random() * 2 - 1;
    if (kind === 'white') samples[i] = hiss;
    else {
      const t = i / NOISE_RATE;
      const beat = t % 0.5;
      let value = 0;
      for (const f of chords[Math.floor(t / 2) % 4] as number[])
        for (let h = 1; h <= 5; h++) value += Math.sin(2 * Math.PI * f * h * t) / h;
      samples[i] = value * (0.4 + 0.6 * Math.exp(-beat * 3)) + hiss * 3 * Math.exp(-beat * 60);
    }
  }
  return samples;
}

/** Each is made once: the same noise at another level is the same samples. */
const made = new Map<string, Float32Array>();

export function noise(kind: 'white' | 'music', ms: number, db: number): Int16Array {
  const key = `${kind} ${ms}`;
  const samples = made.get(key) ?? unscaledNoise(kind, ms);
  made.set(key, samples);
  return atLevel(samples, db);
}

const GOSSIP =
  'The committee met on Tuesday to talk about the new bridge over the river, which nobody wanted to pay for. Some said ' +
  'that the old one would do for another ten years, others that it would fall down before the winter.';

/** Six people who talk to each other. */
export async function babble(ms: number, db: number): Promise<Int16Array> {
  const samples = new Float32Array((ms * NOISE_RATE) / 1_000);
  for (let person = 0; person < 6; person++) {
    const words = GOSSIP.slice(person * 17) + GOSSIP;
    const voice = await speech(words, -20, person % 2 ? 'masculine' : 'feminine');
    const from = Math.floor((person * voice.length) / 6);
    for (let i = 0; i < samples.length; i++)
      samples[i] = (samples[i] as number) + (voice[(i + from) % voice.length] as number);
  }
  return atLevel(samples, db);
}
