// SPDX-License-Identifier: Apache-2.0
import inference from '@livekit/local-inference';

/** Probability of speech in 512 samples at 16 kHz (32 ms). */
export interface VoiceActivity {
  predict(samples: Int16Array): Promise<number>;
}

/** When speech counts as begun and ended, in milliseconds of audio. */
export interface EndpointTimings {
  /** From the first voiced sample until the start is told (capture: 370 ms). */
  startMs: number;
  /** From the last voiced sample until the end is told. */
  pauseMs: number;
}

/** What was heard; offsets are milliseconds of audio since the session's first sample. */
export type Heard =
  | { kind: 'start'; offsetMs: number }
  | { kind: 'end'; offsetMs: number; detectedMs: number; speechMs: number };

const WINDOW = 512;
const WINDOW_MS = 32;
const VAD_RATE = 16_000;
/** Silero's usual thresholds: one to begin, a lower one to go on. */
const VOICED = 0.5;
const STILL_VOICED = 0.35;
/** A click or a cough is no speech: less voice than this in the first `startMs` is dropped. */
const MIN_VOICED_MS = 128;

/** Listens to one session's audio: finds where speech begins and ends. */
export class Ears {
  private readonly samples = new Int16Array(WINDOW);
  private filled = 0;
  private position = 0;
  private previous = 0;
  private readonly queue: Int16Array[] = [];
  private busy = false;

  private windows = 0;
  private voicedFrom?: number;
  private voicedTo = 0;
  private voicedMs = 0;
  private speaking = false;

  /**
   * @param sampleRate of the input, Hz: 8,000, 16,000 or 24,000
   * @param timings read at every window: they may change with the dialogue
   * @param failed is told when the detector itself fails
   */
  constructor(
    private readonly sampleRate: number,
    private readonly timings: () => EndpointTimings,
    private readonly heard: (event: Heard) => void,
    private readonly failed: (error: unknown) => void,
    private readonly vad: VoiceActivity = inference.createVad(),
  ) {}

  /** Milliseconds of audio judged so far. */
  get offsetMs(): number {
    return this.windows * WINDOW_MS;
  }

  /** Takes PCM (16 bit, little endian, mono) of any length. */
  push(pcm: Buffer): void {
    // Linear interpolation to 16 kHz: plenty for finding a voice.
    const step = this.sampleRate / VAD_RATE;
    const count = pcm.length >> 1;
    for (let i = 0; i < count; i++) {
      const sample = pcm.readInt16LE(i * 2);
      while (this.position <= 1) {
        this.add(this.previous + (sample - this.previous) * this.position);
        this.position += step;
      }
      this.position -= 1;
      this.previous = sample;
    }
    if (!this.busy && this.queue.length) this.judge().catch(this.failed);
  }

  private add(sample: number): void {
    this.samples[this.filled++] = sample;
    if (this.filled === WINDOW) {
      this.queue.push(this.samples.slice());
      this.filled = 0;
    }
  }

  private async judge(): Promise<void> {
    this.busy = true;
    try {
      for (let window = this.queue.shift(); window; window = this.queue.shift()) {
        this.step(await this.vad.predict(window));
      }
    } finally {
      this.busy = false;
    }
  }

  private step(probability: number): void {
    const from = this.offsetMs;
    this.windows++;
    const now = this.offsetMs;
    const voiced = probability >= (this.voicedFrom === undefined ? VOICED : STILL_VOICED);
    if (voiced) {
      this.voicedFrom ??= from;
      this.voicedTo = now;
      this.voicedMs += WINDOW_MS;
    }
    if (this.voicedFrom === undefined) return;
    const { startMs, pauseMs } = this.timings();
    if (!this.speaking && now - this.voicedFrom >= startMs) {
      if (this.voicedMs >= Math.min(MIN_VOICED_MS, startMs)) {
        this.speaking = true;
        this.heard({ kind: 'start', offsetMs: this.voicedFrom });
      } else if (!voiced) {
        this.forget();
      }
    }
    if (this.speaking && now - this.voicedTo >= pauseMs) {
      const speechMs = this.voicedTo - (this.voicedFrom ?? this.voicedTo);
      this.speaking = false;
      this.heard({ kind: 'end', offsetMs: this.voicedTo, detectedMs: now, speechMs });
      this.forget();
    }
  }

  private forget(): void {
    this.voicedFrom = undefined;
    this.voicedMs = 0;
  }
}
