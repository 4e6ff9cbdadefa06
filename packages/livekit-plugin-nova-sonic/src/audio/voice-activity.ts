// SPDX-License-Identifier: Apache-2.0

/** Tells a voice from other sound. One detector for one caller. */
export interface VoiceActivityDetector {
  /** Probability (0 to 1) that these samples have a voice: 512 at 16 kHz, which are 32 ms. Called in order. */
  predict(samples: Int16Array): number | Promise<number>;
}

export const VAD_RATE = 16_000;
export const VAD_WINDOW = 512;
export const VAD_WINDOW_MS = 32;

/**
 * The default detector: Silero, which @livekit/agents brings along in @livekit/local-inference (0.2 % of a core for a
 * call, no false voice in white noise or music up to -26 dBFS; other people's speech is a voice to it). Where its native
 * part is missing, as on Alpine, `onMissing` is called with the reason and sound that rises from its background counts.
 */
export async function createVoiceActivityDetector(
  onMissing: (error: unknown) => void,
): Promise<VoiceActivityDetector> {
  try {
    const { default: inference } = await import('@livekit/local-inference');
    return inference.createVad();
  } catch (error) {
    onMissing(error);
    return new LevelDetector();
  }
}

/** How far sound must rise above its background, and above silence, to be taken for a voice. */
const RISE = 4;
const AUDIBLE = 100;
/** The background is the quietest moment of so many windows (3 s). */
const BACKGROUND_WINDOWS = 94;

/** The detector without a model: steady noise of any level is no voice, sound that comes and goes is. */
export class LevelDetector implements VoiceActivityDetector {
  readonly #levels: number[] = [];

  predict(samples: Int16Array): number {
    const level = rms(samples);
    this.#levels.push(level);
    if (this.#levels.length > BACKGROUND_WINDOWS) this.#levels.shift();
    return level > AUDIBLE && level > RISE * Math.min(...this.#levels) ? 1 : 0;
  }
}

/** Root of the mean square of samples (0 to 32768). */
export function rms(samples: Int16Array): number {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  return Math.sqrt(sum / Math.max(1, samples.length));
}
