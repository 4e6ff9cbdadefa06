// SPDX-License-Identifier: Apache-2.0
/** The sessions of emulator-benchmark.ts: each speaks, waits for the reply, and speaks again, in real time. */
import {
  sdkClient,
  speechSamples,
  TestClient,
} from '../test/packages/nova-sonic-emulator/support/client.js';
import type { Done, Task } from './emulator-benchmark.js';

const FRAME_MS = 32;
const SAMPLES = 512;
const CREDENTIALS = { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' };

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

async function runSession({ url, seconds }: Task, speech: Int16Array, done: Done, index: number) {
  // Callers do not start all at once.
  await pause(index * 60);
  const client = new TestClient(sdkClient({ url, credentials: CREDENTIALS }));
  client.start();
  client.openAudio();
  // Four to seven seconds of silence between sentences: some replies are interrupted, some are not.
  const gap = 125 + (index % 7) * 16;
  const cycle = Math.ceil(speech.length / SAMPLES) + gap;
  const started = performance.now();
  const ended = client.ended.then((error) => ({ error }));
  const total = Math.floor(((seconds * 1000 - index * 60) / FRAME_MS) | 0);
  for (let i = 0; i < total; i++) {
    const at = (i + index * 11) % cycle;
    const frame = new Int16Array(SAMPLES);
    frame.set(speech.subarray(at * SAMPLES, (at + 1) * SAMPLES));
    client.audio(frame);
    done.frames++;
    const wait = started + (i + 1) * FRAME_MS - performance.now();
    const over = wait > 0 ? await Promise.race([pause(wait), ended]) : undefined;
    if (over) {
      done.errors.push(`a session ended early: ${over.error ?? 'without an error'}`);
      return;
    }
  }
  client.close();
  const { error } = await ended;
  if (error) done.errors.push(String(error));
  done.turns += client.outputs.filter(
    ({ body }) => body.type === 'AUDIO' && body.stopReason === 'END_TURN',
  ).length;
}

process.once('message', async (task: Task) => {
  const speech = await speechSamples('Could you tell me something about yourself?');
  const done: Done = { frames: 0, turns: 0, errors: [] };
  await Promise.all(
    Array.from({ length: task.sessions }, (_, i) => runSession(task, speech, done, i)),
  );
  process.send?.(done, () => process.exit(0));
});
