// SPDX-License-Identifier: Apache-2.0
import { llm } from '@livekit/agents';
import type { AudioFrame } from '@livekit/rtc-node';
import { SILENCE } from '../local/audio/wav.js';
import { loudness } from '../packages/livekit-plugin-nova-sonic/src/audio/chunker.js';
import { GenerationChannels } from '../packages/livekit-plugin-nova-sonic/src/session/generation-channels.js';

/** One turn's own delay of the model: from when it had the last word to when it gave the first sound. */
export interface ModelShare {
  hadLastWordAt: number;
  gaveFirstSoundAt: number;
}

/** Waits as long as the baseline model pretends to think. */
const THINKS_MS = 500;
/** Above this a frame has words in it. */
export const WORDS = 300;

/** A model without a network: hears when the words end, thinks, and gives one sound. */
export class InstantModel extends llm.RealtimeModel {
  readonly shares: ModelShare[] = [];
  /** How much of its speech is silence before the first sound, in ms. */
  readonly breathMs: number;

  constructor(readonly speech: Int16Array) {
    super({
      messageTruncation: false,
      turnDetection: true,
      userTranscription: false,
      autoToolReplyGeneration: true,
      audioOutput: true,
      manualFunctionCalls: false,
    });
    this.breathMs = speech.findIndex((sample) => Math.abs(sample) > SILENCE) / 24;
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
  #spoke = false;
  #lastWord = 0;

  override get chatCtx(): llm.ChatContext {
    return llm.ChatContext.empty();
  }
  override get tools(): llm.ToolContext {
    return llm.ToolContext.empty();
  }
  override pushAudio(frame: AudioFrame): void {
    const { data } = frame;
    const now = Date.now();
    if (loudness(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)) > WORDS) {
      this.#spoke = true;
      this.#lastWord = now;
    } else if (this.#spoke && now - this.#lastWord > THINKS_MS) {
      this.#spoke = false;
      this.#answer();
    }
  }
  #answer(): void {
    const { shares, speech, breathMs } = this._realtimeModel as InstantModel;
    const channels = new GenerationChannels(`r${Date.now()}`, `m${Date.now()}`, false, 24_000);
    this.emit('generation_created', channels.event);
    channels.text('Very well.');
    shares.push({ hadLastWordAt: this.#lastWord, gaveFirstSoundAt: Date.now() + breathMs });
    // The same words at the same pace as the emulator's: 80 ms of sound every 15.6 ms.
    const pieces: string[] = [];
    for (let from = 0; from < speech.length; from += 1_920) {
      pieces.push(Buffer.from(speech.slice(from, from + 1_920).buffer).toString('base64'));
    }
    const next = () => {
      const piece = pieces.shift();
      if (piece === undefined) {
        channels.close();
        return;
      }
      channels.audio(piece, Date.now());
      setTimeout(next, 15.6);
    };
    next();
  }
  override async updateInstructions(): Promise<void> {}
  override async updateChatCtx(): Promise<void> {}
  override async updateTools(): Promise<void> {}
  override updateOptions(): void {}
  override generateReply(): Promise<llm.GenerationCreatedEvent> {
    return Promise.reject(new llm.RealtimeError('not here'));
  }
  override async commitAudio(): Promise<void> {}
  override async clearAudio(): Promise<void> {}
  override async interrupt(): Promise<void> {}
  override async truncate(): Promise<void> {}
}
