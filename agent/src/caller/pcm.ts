// SPDX-License-Identifier: Apache-2.0

/** Samples up to this count as silence: -50 dBFS, well above the noise of WebRTC's codec and below quiet speech. */
export const SILENCE_LEVEL = 32768 * 10 ** (-50 / 20);

/** Mono 16-bit audio. */
export interface PcmAudio {
  /** Hz. */
  sampleRate: number;
  samples: Int16Array;
}

/** Index after the last sample that is not silence: where the speech in a recording ends. */
export function endOfSound(samples: Int16Array): number {
  let end = samples.length;
  while (end > 0 && Math.abs(samples[end - 1] ?? 0) <= SILENCE_LEVEL) end--;
  return end;
}
