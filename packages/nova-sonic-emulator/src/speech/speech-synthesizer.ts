// SPDX-License-Identifier: Apache-2.0
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Voice } from '../protocol/models.js';

/** Turns text into speech: mono PCM, 16 bit. */
export interface TextToSpeech {
  /** @returns mono PCM, 16 bit, at `sampleRate` (Hz) */
  say(text: string, voice: Voice, sampleRate: number): Promise<Int16Array>;
}

const SPEED_WPM = 170;
const MAX_CACHED = 500;

// espeak-ng's names for the voices' locales; an unknown one is spoken in American English.
const ESPEAK: Record<string, string> = {
  'en-US': 'en-us',
  'en-GB': 'en-gb',
  'en-AU': 'en-gb',
  'en-IN': 'en-gb',
  'fr-FR': 'fr-fr',
  'it-IT': 'it',
  'de-DE': 'de',
  'es-US': 'es-419',
  'pt-BR': 'pt-br',
  'hi-IN': 'hi',
};

const espeakVoice = ({ locale, register }: Voice) =>
  `${ESPEAK[locale] ?? 'en-us'}+${register === 'feminine' ? 'f3' : 'm3'}`;

/** Whether the optional package text2wav (GPL) is there. */
export function canSynthesize(): boolean {
  try {
    createRequire(import.meta.url).resolve('text2wav');
    return true;
  } catch {
    return false;
  }
}

/**
 * espeak-ng (as WebAssembly) in a worker thread, with a cache: synthesis takes about 50 ms a sentence and
 * must not hold up the audio of other sessions.
 */
export class SpeechSynthesizer implements TextToSpeech {
  private worker?: Worker;
  private readonly cache = new Map<string, Promise<Int16Array>>();
  private readonly waiting = new Map<
    number,
    { resolve: (samples: Int16Array) => void; reject: (error: Error) => void }
  >();
  private nextId = 0;

  /** @throws Error when the optional package text2wav (GPL) is not installed */
  constructor() {
    if (!canSynthesize()) {
      throw new Error(
        'Speech needs the package text2wav, which is not installed: run `npm install text2wav`, or use FormantVoice, which has no words.',
      );
    }
  }

  /** @returns mono PCM, 16 bit, at `sampleRate` (Hz). Rejected when espeak-ng fails or the synthesizer was closed. */
  say(text: string, voice: Voice, sampleRate: number): Promise<Int16Array> {
    const name = espeakVoice(voice);
    const key = `${name} ${sampleRate} ${text}`;
    const known = this.cache.get(key);
    if (known) return known;
    const speech = this.synthesize(text, name, sampleRate);
    speech.catch(() => this.cache.delete(key));
    this.cache.set(key, speech);
    if (this.cache.size > MAX_CACHED) {
      this.cache.delete(this.cache.keys().next().value as string);
    }
    return speech;
  }

  /** Ends the worker; pending sentences are rejected. */
  async close(): Promise<void> {
    const worker = this.worker;
    this.worker = undefined;
    this.fail(new Error('the speech synthesiser was closed'));
    await worker?.terminate();
  }

  private synthesize(text: string, voice: string, sampleRate: number): Promise<Int16Array> {
    // Nothing to pronounce ("…", an emoji): a fifth of a second of silence.
    if (!/[\p{L}\p{N}]/u.test(text)) return Promise.resolve(new Int16Array(sampleRate / 5));
    const worker = this.start();
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      worker.postMessage({ id, text, voice, speed: SPEED_WPM, sampleRate });
    });
  }

  private start(): Worker {
    if (this.worker) return this.worker;
    const file = fileURLToPath(new URL('./speech-worker.js', import.meta.url));
    // Loaders given to the main thread (tsx, Jest) mean nothing to the worker.
    const worker = new Worker(file, { execArgv: [] });
    worker.unref();
    worker.on('message', ({ id, samples, error }) => {
      const waiter = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) waiter?.reject(new Error(error));
      else waiter?.resolve(samples);
    });
    const lost = (error: Error) => {
      if (this.worker !== worker) return;
      this.worker = undefined;
      this.fail(error);
    };
    worker.on('error', lost);
    worker.on('exit', (code) => lost(new Error(`the speech synthesiser ended with code ${code}`)));
    this.worker = worker;
    return worker;
  }

  private fail(error: Error): void {
    for (const { reject } of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
}
