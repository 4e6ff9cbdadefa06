// SPDX-License-Identifier: Apache-2.0

import type { AudioChunk } from './chunker.js';

/** The last seconds of the caller's audio, kept so that a new stream gets what an old one lost. Bounded. */
export class RollingAudioBuffer {
  readonly #maxMs: number;
  #chunks: AudioChunk[] = [];
  #ms = 0;

  constructor(maxMs: number) {
    this.#maxMs = maxMs;
  }

  push(chunk: AudioChunk): void {
    this.#chunks.push(chunk);
    this.#ms += chunk.ms;
    while (this.#ms > this.#maxMs && this.#chunks.length > 1) {
      this.#ms -= (this.#chunks.shift() as AudioChunk).ms;
    }
  }

  /** The chunks that arrived after a time (ms since the epoch). */
  since(at: number): AudioChunk[] {
    const from = this.#chunks.findIndex((chunk) => chunk.at > at);
    return from < 0 ? [] : this.#chunks.slice(from);
  }

  clear(): void {
    this.#chunks = [];
    this.#ms = 0;
  }

  get ms(): number {
    return this.#ms;
  }
}
