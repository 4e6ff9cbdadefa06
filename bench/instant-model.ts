// SPDX-License-Identifier: Apache-2.0
import { ReadableStream, TransformStream } from 'node:stream/web';
import { llm } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { SILENCE_LEVEL } from '../agent/src/caller/pcm.js';
import { rmsLevel } from '../local/audio/wav.js';

/** The model's own delay in one turn; times in ms since the epoch. */
export interface ModelDelay {
  receivedLastSpeechAt: number;
  sentFirstSoundAt: number;
}

/** Silence after which the model answers. */
const ENDPOINTING_MS = 500;
/** RMS above which a frame counts as speech. */
export const SPEECH_RMS = 300;
const OUTPUT_RATE = 24_000;
/** The pace and size of the emulator's audio events: 80 ms of audio every 15.6 ms, which the plugin cuts into frames of 50 ms. */
const CHUNK_SAMPLES = 1_920;
const FRAME_SAMPLES = 1_200;
const CHUNK_INTERVAL_MS = 15.6;

/** A model without a network: detects the end of speech and plays one answer. The baseline of bench/latency.ts. */
export class InstantModel extends llm.RealtimeModel {
  readonly delays: ModelDelay[] = [];
  /** Silence at the start of the answer, in ms. */
  readonly leadingSilenceMs: number;

  constructor(readonly speech: Int16Array) {
    super({
      messageTruncation: false,
      turnDetection: true,
      userTranscription: false,
      autoToolReplyGeneration: true,
      audioOutput: true,
      manualFunctionCalls: false,
    });
    this.leadingSilenceMs =
      speech.findIndex((sample) => Math.abs(sample) > SILENCE_LEVEL) / (OUTPUT_RATE / 1000);
  }
  override get model(): string {
    return 'instant';
  }
  override session(): llm.RealtimeSession {
    return new InstantSession(this);
  }
  override async close(): Promise<void> {}
}

class InstantSession extends llm.RealtimeSession {
  #speaking = false;
  #lastSpeechAt = 0;

  override get chatCtx(): llm.ChatContext {
    return llm.ChatContext.empty();
  }
  override get tools(): llm.ToolContext {
    return llm.ToolContext.empty();
  }
  override pushAudio(frame: AudioFrame): void {
    const now = Date.now();
    if (rmsLevel(frame.data) > SPEECH_RMS) {
      this.#speaking = true;
      this.#lastSpeechAt = now;
    } else if (this.#speaking && now - this.#lastSpeechAt > ENDPOINTING_MS) {
      this.#speaking = false;
      this.#answer();
    }
  }
  #answer(): void {
    const { delays, speech, leadingSilenceMs } = this._realtimeModel as InstantModel;
    const audio = new TransformStream<AudioFrame, AudioFrame>();
    const writer = audio.writable.getWriter();
    const message: llm.MessageGeneration = {
      messageId: `m${Date.now()}`,
      textStream: ReadableStream.from(['Very well.']),
      audioStream: audio.readable,
      modalities: Promise.resolve(['audio', 'text']),
    };
    this.emit('generation_created', {
      messageStream: ReadableStream.from([message]),
      functionStream: ReadableStream.from<llm.FunctionCall>([]),
      userInitiated: false,
      responseId: `r${Date.now()}`,
    });
    delays.push({
      receivedLastSpeechAt: this.#lastSpeechAt,
      sentFirstSoundAt: Date.now() + leadingSilenceMs,
    });
    let offset = 0;
    const next = () => {
      if (offset >= speech.length) {
        void writer.close();
        return;
      }
      const chunk = speech.slice(offset, offset + CHUNK_SAMPLES);
      offset += CHUNK_SAMPLES;
      for (let from = 0; from < chunk.length; from += FRAME_SAMPLES) {
        const samples = chunk.slice(from, from + FRAME_SAMPLES);
        void writer.write(new AudioFrame(samples, OUTPUT_RATE, 1, samples.length));
      }
      setTimeout(next, CHUNK_INTERVAL_MS);
    };
    next();
  }
  override async updateInstructions(): Promise<void> {}
  override async updateChatCtx(): Promise<void> {}
  override async updateTools(): Promise<void> {}
  override updateOptions(): void {}
  override generateReply(): Promise<llm.GenerationCreatedEvent> {
    return Promise.reject(new llm.RealtimeError('not supported'));
  }
  override async commitAudio(): Promise<void> {}
  override async clearAudio(): Promise<void> {}
  override async interrupt(): Promise<void> {}
  override async truncate(): Promise<void> {}
}
