// SPDX-License-Identifier: Apache-2.0
import type { VoiceActivity } from './speech-detector.js';

/** Windows of 32 ms over which the level of a voice is averaged, so that one loud syllable of the crowd is nothing. */
const SMOOTHED = 8;
/** Windows from which the background is estimated: 10 s. */
const REMEMBERED = 312;
/** Three quarters of the windows are louder than the background: who speaks alone makes pauses. */
const QUARTILE = 0.25;
/** How much louder than the background a voice is that counts: 8 dB. */
const ABOVE = 10 ** 0.8;

/** A detector that hears only who is louder than the voices around: those of people, a television or a radio. */
export class ForegroundVoice implements VoiceActivity {
  readonly #vad: VoiceActivity;
  /** Power of the last windows. */
  readonly #powers: number[] = [];

  constructor(vad: VoiceActivity) {
    this.#vad = vad;
  }

  async predict(samples: Int16Array): Promise<number> {
    const powers = this.#powers;
    powers.push(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
    if (powers.length > REMEMBERED) powers.shift();
    // Numbers in their own order without a function that compares, 30 times a second.
    const sorted = Float64Array.from(powers).sort();
    const background = sorted[Math.floor(sorted.length * QUARTILE)] ?? 0;
    const last = powers.slice(-SMOOTHED);
    const level = last.reduce((sum, power) => sum + power, 0) / last.length;
    // Asked in any case: the detector keeps a state of its own from window to window.
    const probability = await this.#vad.predict(samples);
    return level > background * ABOVE ? probability : 0;
  }
}
