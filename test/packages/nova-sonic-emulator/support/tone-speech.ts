// SPDX-License-Identifier: Apache-2.0
import type { TextToSpeech } from '../../../../packages/nova-sonic-emulator/src/index.js';

/** Speaks every sentence as a tone of more than a second, at once: for tests in which the sound does not matter. */
export const toneSpeech: TextToSpeech = {
  say: async (text, _voice, sampleRate) =>
    Int16Array.from(
      { length: Math.round(sampleRate * (1 + text.length / 20)) },
      (_, i) => 6000 * Math.sin((i / sampleRate) * 2 * Math.PI * 220),
    ),
};
