// SPDX-License-Identifier: Apache-2.0
import { AudioFrame, AudioResampler } from '@livekit/rtc-node';

/** A chunk of the caller's audio, ready for the service. */
export interface AudioChunk {
  /** 16-bit little-endian mono samples. */
  readonly pcm: Uint8Array;
  /** When its last sample arrived (ms since the epoch). */
  readonly at: number;
  readonly ms: number;
}

/**
 * Splits the caller's audio into chunks of one size: any rate and number of channels in, mono at the service's rate
 * out. Channels are mixed before the rate is changed (a mono resampler fed interleaved samples would garble them).
 */
export class AudioChunker {
  readonly #rate: number;
  readonly #samples: number;
  #buffer: Int16Array;
  #filled = 0;
  #resampler?: AudioResampler;
  #resamplerRate = 0;

  constructor(rate: number, chunkMs: number) {
    this.#rate = rate;
    this.#samples = Math.round((rate * chunkMs) / 1_000);
    this.#buffer = new Int16Array(this.#samples);
  }

  /** The chunks that a frame completes. */
  push(frame: AudioFrame, at: number): AudioChunk[] {
    const mono = frame.channels > 1 ? mix(frame) : frame;
    if (mono.sampleRate === this.#rate) return this.#split(mono.data, at);
    if (!this.#resampler || this.#resamplerRate !== mono.sampleRate) {
      this.#resampler?.close();
      this.#resampler = new AudioResampler(mono.sampleRate, this.#rate, 1);
      this.#resamplerRate = mono.sampleRate;
    }
    return this.#resampler.push(mono).flatMap((part) => this.#split(part.data, at));
  }

  /** The incomplete chunk, filled up with silence, if there is one. */
  flush(at: number): AudioChunk[] {
    if (this.#filled === 0) return [];
    return this.#split(new Int16Array(this.#samples - this.#filled), at);
  }

  /** Discards the incomplete chunk. */
  clear(): void {
    this.#filled = 0;
  }

  close(): void {
    this.#resampler?.close();
    this.#resampler = undefined;
    this.#filled = 0;
  }

  #split(data: Int16Array, at: number): AudioChunk[] {
    const chunks: AudioChunk[] = [];
    let from = 0;
    while (from < data.length) {
      const take = Math.min(this.#samples - this.#filled, data.length - from);
      this.#buffer.set(data.subarray(from, from + take), this.#filled);
      this.#filled += take;
      from += take;
      if (this.#filled < this.#samples) break;
      chunks.push({
        pcm: new Uint8Array(this.#buffer.buffer),
        at,
        ms: (this.#samples * 1_000) / this.#rate,
      });
      this.#buffer = new Int16Array(this.#samples);
      this.#filled = 0;
    }
    return chunks;
  }
}

function mix(frame: AudioFrame): AudioFrame {
  const { channels, samplesPerChannel } = frame;
  const data = new Int16Array(samplesPerChannel);
  for (let i = 0; i < samplesPerChannel; i += 1) {
    let sum = 0;
    for (let c = 0; c < channels; c += 1) sum += frame.data[i * channels + c] ?? 0;
    data[i] = Math.round(sum / channels);
  }
  return new AudioFrame(data, frame.sampleRate, 1, samplesPerChannel);
}
