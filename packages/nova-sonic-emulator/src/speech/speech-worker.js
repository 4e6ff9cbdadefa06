// SPDX-License-Identifier: Apache-2.0
// Plain JavaScript: a worker thread starts outside the loaders (tsx, Jest) that run the TypeScript.
// @ts-check
import { createRequire } from 'node:module';
import { parentPort } from 'node:worker_threads';

// espeak-ng's loader tries fetch() on a file path first and complains on the console.
Reflect.deleteProperty(globalThis, 'fetch');
const require = createRequire(import.meta.url);
const speak = require('text2wav');
const { WaveFile } = require('wavefile');

// One sentence at a time: each run of espeak-ng allocates its own memory.
let last = Promise.resolve();
parentPort?.on('message', (request) => {
  last = last.then(() => synthesize(request));
});

/** @param {{ id: number, text: string, voice: string, speed: number, sampleRate: number }} request */
async function synthesize({ id, text, voice, speed, sampleRate }) {
  try {
    // A text that begins with a dash would be taken for an option.
    const wave = new WaveFile(await speak(text.replace(/^-/, ' -'), { voice, speed }));
    if (wave.fmt.sampleRate !== sampleRate) wave.toSampleRate(sampleRate);
    const samples = Int16Array.from(wave.getSamples(false, Int16Array));
    parentPort?.postMessage({ id, samples }, [samples.buffer]);
  } catch (error) {
    parentPort?.postMessage({ id, error: String(error) });
  }
  // Each run adds handlers to the process that hold its whole memory.
  process.removeAllListeners('uncaughtException').removeAllListeners('unhandledRejection');
}
