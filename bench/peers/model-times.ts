// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { EmulatorEvent } from 'nova-sonic-emulator';
import { rmsLevel, SILENCE_LEVEL } from '../../local/audio/wav.js';
import { SPEECH_RMS } from '../instant-model.js';

/** A reply as the model had it; times in ms since the epoch. */
export interface ModelTurn {
  receivedLastSpeechAt: number;
  sentFirstSoundAt: number;
}

/** A session as the model had it. */
export interface ModelSession {
  receivedFirstAudioAt: number;
  turns: ModelTurn[];
}

const OUTPUT_SAMPLES_PER_MS = 24;

/** Reads an emulator's record that holds the audio itself. */
export async function readModelSessions(record: string): Promise<ModelSession[]> {
  const sessions = new Map<string, SessionReader>();
  for await (const line of createInterface({ input: createReadStream(record) })) {
    const event = JSON.parse(line) as EmulatorEvent;
    const { session, name } = event;
    if (name !== 'audioInput' && name !== 'audioOutput') continue;
    const reader = sessions.get(session) ?? new SessionReader();
    sessions.set(session, reader);
    reader.take(event);
  }
  return [...sessions.values()].map(({ session }) => session);
}

/** Finds the turns in one session's audio, in the order in which it passed. */
class SessionReader {
  readonly session: ModelSession = { receivedFirstAudioAt: Number.NaN, turns: [] };
  #speechAt: number | undefined;
  /** Speech that has no answer yet. */
  #unanswered = false;

  take({ name, time, event }: EmulatorEvent): void {
    const samples = decode(String(event.content));
    if (name === 'audioInput') {
      if (Number.isNaN(this.session.receivedFirstAudioAt)) this.session.receivedFirstAudioAt = time;
      if (rmsLevel(samples) <= SPEECH_RMS) return;
      this.#speechAt = time;
      this.#unanswered = true;
      return;
    }
    const first = samples.findIndex((sample) => Math.abs(sample) > SILENCE_LEVEL);
    if (first < 0 || !this.#unanswered || this.#speechAt === undefined) return;
    this.#unanswered = false;
    this.session.turns.push({
      receivedLastSpeechAt: this.#speechAt,
      sentFirstSoundAt: time + first / OUTPUT_SAMPLES_PER_MS,
    });
  }
}

function decode(content: string): Int16Array {
  const bytes = Buffer.from(content, 'base64');
  const samples = new Int16Array(bytes.byteLength >> 1);
  Buffer.from(samples.buffer).set(bytes.subarray(0, samples.byteLength));
  return samples;
}
