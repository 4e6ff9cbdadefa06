// SPDX-License-Identifier: Apache-2.0

import type { RnnoiseModule } from '@echogarden/rnnoise-wasm';
import { AudioFrame, FrameProcessor } from '@livekit/rtc-node';

const RNNOISE_RATE = 48_000;
/** RNNoise works on 10 ms. */
const RNNOISE_SAMPLES = 480;
/** Taps of the filter between the rates, for each step of the ratio: flat up to 90 % of the lower rate's band. */
const TAPS_PER_STEP = 20;

let loading: Promise<RnnoiseModule> | undefined;

/**
 * RNNoise as LiveKit's `noiseCancellation`: a small recurrent network that takes steady and passing noise out of a
 * voice, in the worker itself and for free. It takes 5 % of a core for a call and delays the caller by 11 ms (see
 * docs/performance.md). Other people's voices stay. One for each track: it remembers what it heard.
 */
export class RnnoiseProcessor extends FrameProcessor<AudioFrame> {
  readonly #rnnoise: RnnoiseModule;
  #state: number;
  readonly #memory: number;
  #enabled = true;
  #resampler: Resampler | undefined;
  /** At 48 kHz, until it is a whole frame of RNNoise. */
  readonly #input = new Float32Array(RNNOISE_SAMPLES);
  #filled = 0;
  /** At the rate of the frames. */
  #output: number[] = [];

  private constructor(rnnoise: RnnoiseModule) {
    super();
    this.#rnnoise = rnnoise;
    this.#state = rnnoise._rnnoise_create(0);
    this.#memory = rnnoise._malloc(RNNOISE_SAMPLES * Float32Array.BYTES_PER_ELEMENT);
  }

  /** Loads RNNoise, once for a process; the function that it resolves to makes processors. */
  static async load(): Promise<() => RnnoiseProcessor> {
    loading ??= import('@echogarden/rnnoise-wasm').then((module) => module.default());
    const rnnoise = await loading;
    return () => new RnnoiseProcessor(rnnoise);
  }

  override isEnabled(): boolean {
    return this.#enabled;
  }

  override setEnabled(enabled: boolean): void {
    this.#enabled = enabled;
  }

  /**
   * Gives back a frame of the same length. At a rate that 48 kHz is no multiple of, or with several channels, it is the
   * frame itself.
   */
  override process(frame: AudioFrame): AudioFrame {
    const { data, sampleRate, channels, samplesPerChannel } = frame;
    const ratio = RNNOISE_RATE / sampleRate;
    if (channels !== 1 || !Number.isInteger(ratio) || this.#state === 0) return frame;
    if (this.#resampler?.ratio !== ratio) {
      this.#resampler = new Resampler(ratio);
      // With frames that are no multiple of 10 ms, what is missing of one would be missing again and again.
      const uneven = (samplesPerChannel * ratio) % RNNOISE_SAMPLES !== 0;
      this.#output = uneven ? Array(RNNOISE_SAMPLES / ratio).fill(0) : [];
    }
    for (const value of this.#resampler.up(data)) this.#push(value);
    const out = new Int16Array(samplesPerChannel);
    for (const [i, value] of this.#output.splice(0, samplesPerChannel).entries())
      out[i] = Math.max(-32_768, Math.min(32_767, Math.round(value)));
    return new AudioFrame(out, sampleRate, 1, samplesPerChannel);
  }

  override close(): void {
    if (this.#state === 0) return;
    this.#rnnoise._rnnoise_destroy(this.#state);
    this.#rnnoise._free(this.#memory);
    this.#state = 0;
  }

  #push(value: number): void {
    this.#input[this.#filled++] = value;
    if (this.#filled < RNNOISE_SAMPLES) return;
    this.#filled = 0;
    const at = this.#memory / Float32Array.BYTES_PER_ELEMENT;
    // The memory of the module may have grown, and moved, since.
    this.#rnnoise.HEAPF32.set(this.#input, at);
    this.#rnnoise._rnnoise_process_frame(this.#state, this.#memory, this.#memory);
    const clean = this.#rnnoise.HEAPF32.subarray(at, at + RNNOISE_SAMPLES);
    if (this.#resampler) this.#output.push(...this.#resampler.down(clean));
  }
}

/** Between a rate and `ratio` times that, both ways, with a windowed sinc. */
class Resampler {
  readonly ratio: number;
  /** The filter, backwards, and the same for each of the `ratio` samples that follow one sample. */
  readonly #taps: Float64Array;
  readonly #phases: Float64Array[];
  /** What the filters reach back to. */
  #low: Float64Array;
  #high: Float64Array;

  constructor(ratio: number) {
    this.ratio = ratio;
    const length = ratio === 1 ? 1 : TAPS_PER_STEP * ratio;
    const cutoff = 0.92 / ratio;
    this.#taps = Float64Array.from({ length }, (_, i) => {
      if (length === 1) return 1;
      const x = i - (length - 1) / 2;
      const sinc = x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x);
      return sinc * (0.54 + 0.46 * Math.cos((2 * Math.PI * x) / length));
    });
    this.#phases = Array.from({ length: ratio }, (_, phase) =>
      this.#taps.filter((_tap, i) => i % ratio === ratio - 1 - phase),
    );
    this.#low = new Float64Array(length / ratio - 1);
    this.#high = new Float64Array(length - 1);
  }

  up(samples: Int16Array): Float64Array {
    const { ratio } = this;
    const known = joined(this.#low, samples);
    const out = new Float64Array(samples.length * ratio);
    for (let i = 0; i < samples.length; i++)
      for (let phase = 0; phase < ratio; phase++)
        out[i * ratio + phase] = ratio * dot(this.#phases[phase] as Float64Array, known, i);
    this.#low = known.slice(samples.length);
    return out;
  }

  /** As many samples as `ratio` divides. */
  down(samples: Float32Array): Float64Array {
    const { ratio } = this;
    const known = joined(this.#high, samples);
    const out = new Float64Array(samples.length / ratio);
    for (let i = 0; i < out.length; i++) out[i] = dot(this.#taps, known, i * ratio);
    this.#high = known.slice(samples.length);
    return out;
  }
}

function joined(before: Float64Array, samples: Int16Array | Float32Array): Float64Array {
  const known = new Float64Array(before.length + samples.length);
  known.set(before);
  known.set(samples, before.length);
  return known;
}

function dot(taps: Float64Array, samples: Float64Array, from: number): number {
  let sum = 0;
  for (let i = 0; i < taps.length; i++) sum += (taps[i] as number) * (samples[from + i] as number);
  return sum;
}
