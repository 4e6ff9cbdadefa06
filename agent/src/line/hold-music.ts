// SPDX-License-Identifier: Apache-2.0

/** Four chords, in Hz: within what a telephone transmits. */
const CHORDS = [
  [329.63, 392, 523.25],
  [329.63, 440, 523.25],
  [349.23, 440, 523.25],
  [392, 493.88, 587.33],
] as const;
const CHORD_S = 2;
/** For so long one chord goes over into the next. */
const CROSSFADE_S = 0.6;
/** Of each note, on a scale of 1: together -30 dBFS, well below speech and above what counts as silence. */
const AMPLITUDE = 0.022;

/** A loop of quiet chords, made here so that nobody's rights are in it. Its end goes over into its beginning. */
export function holdMusic(sampleRate: number): Int16Array {
  const chordLength = Math.round(CHORD_S * sampleRate);
  const fade = Math.round(CROSSFADE_S * sampleRate);
  const loop = new Float64Array(chordLength * CHORDS.length);
  for (const [index, notes] of CHORDS.entries()) {
    for (let i = 0; i < chordLength + fade; i++) {
      const level = AMPLITUDE * fadeIn(i, fade) * fadeIn(chordLength + fade - i, fade);
      let sum = 0;
      for (const note of notes) sum += Math.sin((2 * Math.PI * note * i) / sampleRate);
      const at = (index * chordLength + i) % loop.length;
      loop[at] = (loop[at] ?? 0) + level * sum;
    }
  }
  return Int16Array.from(loop, (sample) => sample * 32_767);
}

/** From 0 to 1 within `fade` samples, so that the power of two that cross stays the same. */
function fadeIn(i: number, fade: number): number {
  return i >= fade ? 1 : Math.sin((Math.PI / 2) * (i / fade));
}
