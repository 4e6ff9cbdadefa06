// SPDX-License-Identifier: Apache-2.0

import { ReadableStream } from 'node:stream/web';
import { AudioFrame } from '@livekit/rtc-node';

/** A source that is this many frames behind the others is left out until it sends again, like a muted track. */
const MAX_AHEAD = 3;

/**
 * Adds up frames of equal length and rate, as they come: no timers. rtc-node's AudioMixer waits 100 ms for each source
 * that sends nothing, and prints a warning, for each of its blocks (0.13.35).
 */
export class FrameMixer {
  readonly #queues: AudioFrame[][];
  readonly #live: boolean[];

  constructor(sources: number) {
    this.#queues = Array.from({ length: sources }, () => []);
    this.#live = Array.from({ length: sources }, () => true);
  }

  /** The frames that are complete with this one. */
  push(source: number, frame: AudioFrame): AudioFrame[] {
    this.#queues[source]?.push(frame);
    this.#live[source] = true;
    if ((this.#queues[source]?.length ?? 0) > MAX_AHEAD)
      this.#queues.forEach((queue, index) => {
        if (queue.length === 0) this.#live[index] = false;
      });
    return this.#completed();
  }

  /** The frames that are complete when this source has ended. */
  end(source: number): AudioFrame[] {
    this.#live[source] = false;
    return this.#completed();
  }

  #completed(): AudioFrame[] {
    const mixed: AudioFrame[] = [];
    while (this.#complete()) mixed.push(this.#mix());
    return mixed;
  }

  #complete(): boolean {
    return (
      this.#queues.some((queue) => queue.length > 0) &&
      this.#queues.every((queue, index) => queue.length > 0 || !this.#live[index])
    );
  }

  #mix(): AudioFrame {
    const frames = this.#queues.flatMap((queue) => queue.shift() ?? []);
    const [first] = frames;
    if (!first || frames.length === 1) return first as AudioFrame;
    const data = new Int16Array(first.data.length);
    for (let i = 0; i < data.length; i++) {
      let sum = 0;
      for (const frame of frames) sum += frame.data[i] ?? 0;
      data[i] = Math.max(-32_768, Math.min(32_767, sum));
    }
    return new AudioFrame(data, first.sampleRate, first.channels, first.samplesPerChannel);
  }
}

/** Several streams of frames as one. Cancelling it cancels all of them. */
export function mixAudio(streams: ReadableStream<AudioFrame>[]): ReadableStream<AudioFrame> {
  const mixer = new FrameMixer(streams.length);
  const readers = streams.map((stream) => stream.getReader());
  let open = true;
  return new ReadableStream<AudioFrame>({
    start(controller) {
      const send = (frames: AudioFrame[]) => {
        if (open) for (const frame of frames) controller.enqueue(frame);
      };
      const pumps = readers.map(async (reader, source) => {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done || !open) break;
            send(mixer.push(source, value));
          }
        } finally {
          send(mixer.end(source));
        }
      });
      void Promise.allSettled(pumps).then(() => open && controller.close());
    },
    async cancel() {
      open = false;
      await Promise.allSettled(readers.map((reader) => reader.cancel()));
    },
  });
}
