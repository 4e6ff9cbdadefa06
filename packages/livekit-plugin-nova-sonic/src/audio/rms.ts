// SPDX-License-Identifier: Apache-2.0

/** How loud 16-bit samples are: the root of their mean square (0 to 32768). */
export function rms(pcm: Uint8Array): number {
  const samples = new Int16Array(pcm.buffer, pcm.byteOffset, pcm.byteLength >> 1);
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}
