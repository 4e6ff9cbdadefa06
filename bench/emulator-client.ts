// SPDX-License-Identifier: Apache-2.0
/** The sessions of emulator-benchmark.ts: each speaks, waits for the reply, and speaks again, in real time. */
import {
  sdkClient,
  speechSamples,
  TestClient,
} from '../test/packages/nova-sonic-emulator/support/client.js';
import type { Done, FromClient, ToClient } from './emulator-benchmark.js';

const FRAME_MS = 32;
const SAMPLES = 512;
const LATE_MS = 500;
const CREDENTIALS = { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' };

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
const tell = (message: FromClient) => process.send?.(message);

let stopped = false;

async function runSession(url: string, speech: readonly Int16Array[], done: Done, index: number) {
  // Callers do not start all at once.
  await pause(index * 60);
  // Only what is counted is kept: the audio of a minute of 60 sessions is work for the garbage collector.
  const client = new TestClient(sdkClient({ url, credentials: CREDENTIALS }), undefined, isTurn);
  const ended = client.ended.then((error) => ({ error }));
  client.start();
  client.openAudio();
  void client.output(isTurn).then(
    () => tell('answered'),
    () => {},
  );
  // Four to seven seconds of silence between sentences: some replies are interrupted, some are not.
  const cycle = speech.length + 125 + (index % 7) * 16;
  const silence = new Int16Array(SAMPLES);
  let started = performance.now();
  for (let i = 0; !stopped; i++) {
    client.audio(speech[(i + index * 11) % cycle] ?? silence);
    done.frames++;
    const wait = started + (i + 1) * FRAME_MS - performance.now();
    // A client that the machine has starved goes on from here: a burst of old frames is no caller's.
    if (wait < -LATE_MS) started -= wait;
    const over = await Promise.race([pause(Math.max(0, wait)), ended]);
    if (over) {
      done.errors.push(`a session ended early: ${over.error ?? 'without an error'}`);
      return;
    }
  }
  client.close();
  const { error } = await ended;
  if (error) done.errors.push(String(error));
  done.turns += client.outputs.length;
}

const isTurn = ({ body }: TestClient['outputs'][number]) =>
  body.type === 'AUDIO' && body.stopReason === 'END_TURN';

process.on('message', async (message: ToClient) => {
  if (message === 'stop') {
    stopped = true;
    return;
  }
  const samples = await speechSamples('Could you tell me something about yourself?');
  const speech: Int16Array[] = [];
  for (let at = 0; at < samples.length; at += SAMPLES) {
    const frame = new Int16Array(SAMPLES);
    frame.set(samples.subarray(at, at + SAMPLES));
    speech.push(frame);
  }
  const done: Done = { frames: 0, turns: 0, errors: [] };
  await Promise.all(
    Array.from({ length: message.sessions }, (_, i) => runSession(message.url, speech, done, i)),
  );
  process.send?.(done, () => process.exit(0));
});
