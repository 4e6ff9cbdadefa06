// SPDX-License-Identifier: Apache-2.0
import type { Voice } from '../protocol/models.js';
import { SeededRandom } from '../random.js';
import type { TextToSpeech } from './speech-synthesizer.js';

/** Resonances of a vowel: frequencies in Hz, for an adult man. */
const VOWELS: Record<string, readonly [number, number, number]> = {
  a: [730, 1090, 2440],
  e: [530, 1840, 2480],
  i: [270, 2290, 3010],
  o: [570, 840, 2410],
  u: [300, 870, 2240],
};
const BANDWIDTHS = [80, 110, 160];
const VOWEL_MS = 130;
const CONSONANT_MS = 60;
const PAUSE_MS = 160;
const AMPLITUDE = 9000;

/**
 * A voice without any words: vowels of the text's own vowels, with a falling melody and a syllable's rhythm. It needs
 * no package, and a voice activity detector takes it for speech. Good enough wherever the sound is not listened to.
 */
export class FormantVoice implements TextToSpeech {
  /** @returns mono PCM, 16 bit, at `sampleRate` (Hz) */
  async say(text: string, voice: Voice, sampleRate: number): Promise<Int16Array> {
    const feminine = voice.register === 'feminine';
    const random = new SeededRandom(text.length * 7919 + text.charCodeAt(0));
    const parts: Int16Array[] = [];
    const letters = [...text.toLowerCase().normalize('NFD')].filter((c) =>
      /[\p{L}\p{N}\s,;:]/u.test(c),
    );
    letters.forEach((letter, i) => {
      const progress = i / letters.length;
      const pitch = (feminine ? 205 : 118) * (1.12 - 0.28 * progress) * random.between(0.97, 1.03);
      if (/[\s,;:]/.test(letter)) {
        const ms = letter.trim() ? PAUSE_MS : 30;
        parts.push(new Int16Array(Math.round((sampleRate * ms) / 1000)));
      } else if (VOWELS[letter] || /[\p{N}y]/u.test(letter)) {
        const formants = VOWELS[letter] ?? (VOWELS.e as readonly [number, number, number]);
        const scale = feminine ? 1.15 : 1;
        parts.push(
          vowel(
            formants.map((f) => f * scale),
            pitch,
            VOWEL_MS,
            sampleRate,
          ),
        );
      } else {
        parts.push(murmur(pitch, CONSONANT_MS, sampleRate, random));
      }
    });
    return joined(parts, sampleRate);
  }
}

/** Pulses of the glottis through the resonances of the mouth. */
function vowel(formants: number[], pitch: number, ms: number, sampleRate: number): Int16Array {
  const length = Math.round((sampleRate * ms) / 1000);
  let wave = new Float64Array(length);
  const period = sampleRate / pitch;
  for (let at = 0; at < length; at += period) {
    // A pulse that opens slowly and closes at once.
    const width = Math.floor(period * 0.4);
    for (let i = 0; i < width && at + i < length; i++) {
      const index = Math.floor(at + i);
      wave[index] = (wave[index] ?? 0) + (i / width) ** 2 * (1 - i / width) * 4;
    }
  }
  formants.forEach((frequency, i) => {
    if (frequency < sampleRate / 2)
      wave = resonate(wave, frequency, BANDWIDTHS[i] ?? 100, sampleRate);
  });
  return leveled(wave, AMPLITUDE);
}

/** A voiced consonant: low, quiet and noisy. */
function murmur(pitch: number, ms: number, sampleRate: number, random: SeededRandom): Int16Array {
  const length = Math.round((sampleRate * ms) / 1000);
  const wave = Float64Array.from({ length }, (_, i) => {
    const voiced = Math.sin((2 * Math.PI * pitch * i) / sampleRate);
    return voiced + 0.3 * random.between(-1, 1);
  });
  return leveled(wave, AMPLITUDE / 4);
}

/** A resonance: a digital filter of the second order. */
function resonate(
  wave: Float64Array<ArrayBuffer>,
  frequency: number,
  bandwidth: number,
  sampleRate: number,
): Float64Array<ArrayBuffer> {
  const radius = Math.exp((-Math.PI * bandwidth) / sampleRate);
  const b = 2 * radius * Math.cos((2 * Math.PI * frequency) / sampleRate);
  const c = -(radius ** 2);
  const a = 1 - b - c;
  const out = new Float64Array(wave.length);
  for (let i = 0; i < wave.length; i++) {
    out[i] = a * (wave[i] as number) + b * (out[i - 1] ?? 0) + c * (out[i - 2] ?? 0);
  }
  return out;
}

/** With the given peak, fading in and out so that nothing clicks. */
function leveled(wave: Float64Array, peak: number): Int16Array {
  const mean = wave.reduce((sum, sample) => sum + sample, 0) / (wave.length || 1);
  const highest = wave.reduce((max, sample) => Math.max(max, Math.abs(sample - mean)), 1e-9);
  const fade = wave.length / 6;
  return Int16Array.from(wave, (sample, i) => {
    const edge = Math.min(1, i / fade, (wave.length - i) / fade);
    return ((sample - mean) / highest) * peak * edge;
  });
}

function joined(parts: readonly Int16Array[], sampleRate: number): Int16Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const all = new Int16Array(Math.max(length, Math.round(sampleRate / 5)));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
