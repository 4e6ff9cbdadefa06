// SPDX-License-Identifier: Apache-2.0
import type { TextToSpeech } from '../../../../packages/nova-sonic-emulator/src/index.js';

/** A second of a tone of 220 Hz, repeated. */
function tone(samples: number, sampleRate: number): Int16Array {
  const second = Int16Array.from(
    { length: sampleRate },
    (_, i) => 6000 * Math.sin((i / sampleRate) * 2 * Math.PI * 220),
  );
  const all = new Int16Array(samples);
  for (let from = 0; from < samples; from += sampleRate) {
    all.set(second.subarray(0, samples - from), from);
  }
  return all;
}

/** Speaks every sentence as a tone of more than a second, at once: for tests in which the sound does not matter. */
export const toneSpeech: TextToSpeech = {
  say: async (text, _voice, sampleRate) =>
    tone(Math.round(sampleRate * (1 + text.length / 20)), sampleRate),
};
