// SPDX-License-Identifier: Apache-2.0

/** How loud a piece is, as the root of the mean square of its samples (0 to 32768). */
export function rms(pcm: Uint8Array): number {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength >> 1);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}
