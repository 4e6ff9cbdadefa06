// SPDX-License-Identifier: Apache-2.0

/** Maps the service's audio offsets on one stream to when those samples arrived from the caller and when they were sent. */
export class AudioTimeline {
  #marks: Mark[] = [];
  #totalMs = 0;

  /** A chunk of audio, or generated silence, was written to the stream. */
  wrote(ms: number, at: number, sentAt: number): void {
    this.#totalMs += ms;
    this.#marks.push({ endMs: this.#totalMs, ms, at, sentAt });
    if (this.#marks.length > 6_000) this.#marks.splice(0, 3_000);
  }

  /** When the sample at an offset arrived from the caller (ms since the epoch); audio arrives as fast as it is spoken. */
  arrival(offsetMs: number): number | undefined {
    const mark = this.#at(offsetMs);
    return mark && mark.at - Math.min(Math.max(0, mark.endMs - offsetMs), mark.ms);
  }

  /** When the chunk with the sample at an offset was sent (ms since the epoch). */
  sent(offsetMs: number): number | undefined {
    return this.#at(offsetMs)?.sentAt;
  }

  /** When the chunk with the sample that arrived at a time was sent (ms since the epoch). */
  sentAt(arrival: number): number | undefined {
    return this.#find((m) => m.at < arrival)?.sentAt;
  }

  #at(offsetMs: number): Mark | undefined {
    if (offsetMs < 0 || offsetMs > this.#totalMs + 1_000) return undefined;
    return this.#find((m) => m.endMs < offsetMs);
  }

  #find(before: (mark: Mark) => boolean): Mark | undefined {
    let low = 0;
    let high = this.#marks.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (before(this.#marks[middle] as Mark)) low = middle + 1;
      else high = middle;
    }
    return this.#marks[low];
  }
}

interface Mark {
  readonly endMs: number;
  readonly ms: number;
  readonly at: number;
  readonly sentAt: number;
}
