// SPDX-License-Identifier: Apache-2.0
import inference from '@livekit/local-inference';

/** Probability of speech in 512 samples at 16 kHz (32 ms). */
export interface VoiceActivity {
  /**
   * @param samples the next window: 512 samples (32 ms) at 16 kHz
   * @returns the probability that it holds speech, 0 to 1
   */
  predict(samples: Int16Array): Promise<number>;
}

/** The default detector: Silero, as @livekit/local-inference ships it. */
export const createSileroVad = (): VoiceActivity => inference.createVad();

/** When speech counts as started and ended, in milliseconds of audio. */
export interface EndpointingTimings {
  /** From the first voiced sample until the start is reported (capture: 370 ms). */
  startMs: number;
  /** From the last voiced sample until the end is reported. */
  pauseMs: number;
}

/** Speech started or ended; offsets are milliseconds of audio since the session's first sample. */
export type SpeechEvent =
  | { kind: 'start'; offsetMs: number }
  | { kind: 'end'; offsetMs: number; detectedMs: number; speechMs: number };

const WINDOW = 512;
const WINDOW_MS = 32;
const VAD_RATE = 16_000;
/** Silero's usual thresholds: one to start, a lower one to continue. */
const VOICED = 0.5;
const STILL_VOICED = 0.35;
/** A click or a cough is not speech: less voice than this in the first `startMs` is dropped. */
const MIN_VOICED_MS = 128;

/** Root mean square of a window that is loud enough to be taken for speech by mistake (about -36 dBFS). */
const LOUD = 500;
/** So much noise in a row is one false speech; quieter again for as long, and the next may follow. */
const NOISE_MS = 480;

/** Finds where speech starts and ends in one session's audio. */
export class SpeechDetector {
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
  private noiseMs = 0;
  private quietMs = NOISE_MS;

  /**
   * @param sampleRate of the input, in Hz: 8,000, 16,000 or 24,000
   * @param timings read at every window: they may change with the dialogue
   * @param onNoise receives loud audio that is no voice; without it, noise is ignored
   * @param onError receives the error when the detector itself fails
   */
  constructor(
    private readonly sampleRate: number,
    private readonly timings: () => EndpointingTimings,
    private readonly onSpeech: (event: SpeechEvent) => void,
    private readonly onError: (error: unknown) => void,
    private readonly vad: VoiceActivity = createSileroVad(),
    private readonly onNoise?: (offsetMs: number, durationMs: number) => void,
  ) {}

  /** Milliseconds of audio processed so far. */
  get offsetMs(): number {
    return this.windows * WINDOW_MS;
  }

  /** Takes PCM (16 bit, little endian, mono) of any length. */
  push(pcm: Buffer): void {
    // Linear interpolation to 16 kHz: plenty for finding a voice.
    const step = this.sampleRate / VAD_RATE;
    const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.length);
    for (let at = 0; at + 2 <= pcm.length; at += 2) {
      const sample = view.getInt16(at, true);
      if (step === 1) {
        this.add(sample);
        continue;
      }
      while (this.position <= 1) {
        this.add(this.previous + (sample - this.previous) * this.position);
        this.position += step;
      }
      this.position -= 1;
      this.previous = sample;
    }
    if (this.busy || this.queue.length === 0) return;
    this.busy = true;
    // The threads that Silero runs on interrupt this one, so they start when all that has arrived has been read.
    setImmediate(() => void this.detect().catch(this.onError));
  }

  private add(sample: number): void {
    this.samples[this.filled++] = sample;
    if (this.filled === WINDOW) {
      this.queue.push(this.samples.slice());
      this.filled = 0;
    }
  }

  private async detect(): Promise<void> {
    try {
      for (let window = this.queue.shift(); window; window = this.queue.shift()) {
        const probability = await this.vad.predict(window);
        if (this.onNoise) this.listenForNoise(window, probability);
        this.step(probability);
      }
    } finally {
      this.busy = false;
    }
  }

  private listenForNoise(window: Int16Array, probability: number): void {
    const power = window.reduce((sum, sample) => sum + sample * sample, 0) / window.length;
    const noisy = Math.sqrt(power) > LOUD && probability < STILL_VOICED && !this.speaking;
    this.quietMs = noisy ? this.quietMs : this.quietMs + WINDOW_MS;
    this.noiseMs = noisy ? this.noiseMs + WINDOW_MS : 0;
    if (this.noiseMs < NOISE_MS || this.quietMs < NOISE_MS) return;
    this.onNoise?.(this.offsetMs + WINDOW_MS - this.noiseMs, this.noiseMs);
    this.noiseMs = 0;
    this.quietMs = 0;
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
        this.onSpeech({ kind: 'start', offsetMs: this.voicedFrom });
      } else if (!voiced) {
        this.reset();
      }
    }
    if (this.speaking && now - this.voicedTo >= pauseMs) {
      const speechMs = this.voicedTo - (this.voicedFrom ?? this.voicedTo);
      this.speaking = false;
      this.onSpeech({ kind: 'end', offsetMs: this.voicedTo, detectedMs: now, speechMs });
      this.reset();
    }
  }

  private reset(): void {
    this.voicedFrom = undefined;
    this.voicedMs = 0;
  }
}
