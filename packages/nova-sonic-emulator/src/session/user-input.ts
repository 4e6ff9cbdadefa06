// SPDX-License-Identifier: Apache-2.0
import type { EmulatorContext } from '../context.js';
import type { Dialogue } from '../dialogue/dialogue.js';
import type { Sensitivity } from '../protocol/events.js';
import { ForegroundVoice } from '../speech/foreground-voice.js';
import { SpeechDetector, type VoiceActivity } from '../speech/speech-detector.js';
import type { SessionLimits } from './session-limits.js';

/** What the user of one session says or types, on its way to the dialogue. */
export class UserInput {
  /** How long a pause ends what is said. */
  sensitivity: Sensitivity = 'MEDIUM';
  private detector?: SpeechDetector;
  /** Typed texts that wait until enough audio was sent. */
  private readonly waitingTexts: string[] = [];
  private audioMs = 0;
  private inputRate = 16_000;

  constructor(
    private readonly context: Pick<EmulatorContext, 'config' | 'createVad'>,
    private readonly dialogue: Dialogue,
    private readonly limits: SessionLimits,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** @param sampleRate in Hz */
  startAudio(sampleRate: number): void {
    this.inputRate = sampleRate;
    this.detector = new SpeechDetector(
      sampleRate,
      () => this.dialogue.endpointing(this.sensitivity),
      (event) => {
        this.limits.interaction();
        this.dialogue.speechEvent(event);
      },
      this.onError,
      this.createVad(),
      this.context.config.noise === 'false-speech'
        ? (offsetMs, durationMs) => this.dialogue.falseSpeech(offsetMs, durationMs)
        : undefined,
    );
  }

  /** @param pcm 16-bit samples */
  audio(pcm: Buffer): void {
    this.limits.audio();
    this.audioMs += (pcm.length / 2 / this.inputRate) * 1000;
    this.detector?.push(pcm);
    this.releaseTypedTexts();
  }

  typed(text: string): void {
    this.limits.interaction();
    this.waitingTexts.push(text);
    this.releaseTypedTexts();
  }

  /** Noise that is taken for speech; nothing before the audio. */
  falseSpeech(durationMs: number): void {
    if (this.detector) this.dialogue.falseSpeech(this.detector.offsetMs, durationMs);
  }

  private createVad(): VoiceActivity {
    const vad = this.context.createVad();
    return this.context.config.otherVoices === 'ignored' ? new ForegroundVoice(vad) : vad;
  }

  /** Typed text generates nothing until some audio was sent (measured by others: 64 to 68 ms). */
  private releaseTypedTexts(): void {
    if (this.audioMs < this.context.config.limits.primingAudioMs) return;
    for (const text of this.waitingTexts.splice(0)) this.dialogue.typedText(text);
  }
}
