// SPDX-License-Identifier: Apache-2.0
// Measures the time from the end of the caller's speech to the first sound of the reply, beyond the model's own delay:
// with the plugin and the emulator, and with a model inside the agent that answers at once (LiveKit, WebRTC and the
// framework alone). Both run on one real LiveKit server, in alternating turns. Then measures how long a call takes to start.
// `npm run bench:latency -- --turns 10 --starts 5`
import { setTimeout as sleep } from 'node:timers/promises';
import '../local/command/silence-warnings.js';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { initializeLogger, type llm, voice } from '@livekit/agents';
import { dispose, Room } from '@livekit/rtc-node';
import { prewarm, RealtimeModel } from 'livekit-plugin-nova-sonic';
import { AccessToken } from 'livekit-server-sdk';
import type { EmulatorEvent } from 'nova-sonic-emulator';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import { CALLER_RATE, Caller } from '../agent/src/caller/caller.js';
import { SILENCE_LEVEL } from '../agent/src/caller/pcm.js';
import { rmsLevel } from '../local/audio/wav.js';
import { startEmulatorProcess } from '../local/dev/emulator-process.js';
import type { LiveKitConnection } from '../local/livekit/connection.js';
import { startLiveKitServer } from '../local/livekit/server.js';
import type { ToClient } from './emulator-benchmark.js';
import { InstantModel, SPEECH_RMS } from './instant-model.js';

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '10' },
    starts: { type: 'string', default: '5' },
    verbose: { type: 'boolean', default: false },
  },
});
const TURNS = Number(values.turns);
const STARTS = Number(values.starts);
/** The model's output is 24 kHz. */
const MODEL_SAMPLES_PER_MS = 24;
initializeLogger({ pretty: false, level: values.verbose ? 'info' : 'silent' });
const median = (list: number[]) =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

/** Samples of an audio event in the emulator's record. */
function samplesOf(event: EmulatorEvent): Int16Array {
  const bytes = Buffer.from(String(event.event.content), 'base64');
  const samples = new Int16Array(bytes.byteLength >> 1);
  Buffer.from(samples.buffer).set(bytes.subarray(0, samples.byteLength));
  return samples;
}

const isSpeech = (event: EmulatorEvent) => rmsLevel(samplesOf(event)) > SPEECH_RMS;

/** Silence at the start of the model's audio, in ms. */
function leadingSilenceMs(events: readonly EmulatorEvent[]): number {
  let silent = 0;
  for (const event of events) {
    const samples = samplesOf(event);
    const first = samples.findIndex((sample) => Math.abs(sample) > SILENCE_LEVEL);
    if (first >= 0) return (silent + first) / MODEL_SAMPLES_PER_MS;
    silent += samples.length;
  }
  return silent / MODEL_SAMPLES_PER_MS;
}

/** How long a call took to start, in ms. */
interface StartTimes {
  /** From when instructions, tools and history were known until the model accepted audio. */
  configured: number;
  /** From when the agent was in the room until the model received the caller's first audio. */
  joined: number;
}

/** The start of the stream that was opened at `openingAt`, from the emulator's record. */
function startTimes(
  events: readonly EmulatorEvent[],
  openingAt: number,
  joinedAt: number,
): StartTimes {
  const received = events.filter((e) => e.direction === 'in' && e.time >= openingAt);
  const audioStart = received.find((e) => e.name === 'contentStart' && e.event.type === 'AUDIO');
  const firstAudio = received.find((e) => e.name === 'audioInput');
  if (!audioStart || !firstAudio) throw new Error('the model received no audio');
  if (values.verbose)
    for (const e of events.filter((x) => x.time >= openingAt && x.time <= firstAudio.time))
      console.log(`  ${(e.time - openingAt).toFixed(0).padStart(5)} ms  ${e.direction} ${e.name}`);
  return { configured: audioStart.time - openingAt, joined: firstAudio.time - joinedAt };
}

/** Starts an agent in a room, in this process. */
async function startAgent(connection: LiveKitConnection, name: string, model: llm.RealtimeModel) {
  const token = new AccessToken(connection.apiKey, connection.apiSecret, {
    identity: `agent-${name}`,
    ttl: '1h',
  });
  token.addGrant({ room: name, roomJoin: true, canPublish: true, canSubscribe: true, agent: true });
  const room = new Room();
  await room.connect(connection.url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
  const joinedAt = Date.now();
  const session = new voice.AgentSession({
    llm: model,
    vad: null,
    turnHandling: { turnDetection: 'realtime_llm' },
    aecWarmupDuration: null,
  });
  session.on(voice.AgentSessionEventTypes.Error, () => {});
  await session.start({
    agent: new voice.Agent({ instructions: 'Be brief.' }),
    room,
    inputOptions: { audioSampleRate: 16_000 },
    record: false,
  });
  return { session, room, joinedAt };
}

/** Asks a question; returns when its speech ended and when the first sound of the reply arrived. */
async function askQuestion(
  caller: Caller,
  samples: Int16Array,
): Promise<{ endAt: number; soundAt: number }> {
  while (caller.audible) await sleep(20);
  await sleep(400);
  const endAt = await caller.speak({ sampleRate: CALLER_RATE, samples });
  const soundAt = await new Promise<number>((resolve) => {
    const listener = (audible: boolean, at: number) => {
      if (!audible) return;
      caller.off('sound', listener);
      resolve(at);
    };
    caller.on('sound', listener);
  });
  return { endAt, soundAt };
}

const livekit = await startLiveKitServer({ port: 27_880 });
// In a process of its own, so that it does not delay the agent; its record holds the times of all audio.
const folder = mkdtempSync(join(tmpdir(), 'latency-'));
const record = join(folder, 'events.jsonl');
writeFileSync(
  join(folder, 'scenario.json'),
  JSON.stringify({ turns: [{ on: 'speech', repeat: true, reply: 'Very well.' }] }),
);
const emulator = await startEmulatorProcess({
  scenario: join(folder, 'scenario.json'),
  record,
  recordAudio: true,
});
const { url } = emulator;
// One session of another client first: Bedrock is never cold.
const client = fork(fileURLToPath(new URL('./emulator-client.ts', import.meta.url)), {
  execArgv: ['--import', 'tsx'],
});
client.send({ url, sessions: 1 } satisfies ToClient);
await once(client, 'message');
client.send('stop' satisfies ToClient);
await once(client, 'exit');
const recorded = (): EmulatorEvent[] =>
  readFileSync(record, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EmulatorEvent);
const synthesizer = new SpeechSynthesizer();
const words = await synthesizer.say(
  'What time is it in Tokyo?',
  { locale: 'en-US', register: 'feminine' } as never,
  CALLER_RATE,
);
// Cut the fading end, so that both sides agree on when speech ends.
let end = words.length;
while (end > 480 && rmsLevel(words.subarray(end - 480, end)) < 1_500) end -= 480;
const question = words.slice(0, end);

const withPlugin: Array<{ total: number; model: number; added: number; plugin: number }> = [];
const baseline: Array<{ total: number; model: number; added: number }> = [];
/** The first start is cold: only the SDK is warm, as in an idle job process of the worker. */
const starts: StartTimes[] = [];

// -- with the plugin
await prewarm();
const model = new RealtimeModel({
  endpoint: url,
  credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' },
  region: 'us-east-1',
});
let streamOpeningAt = 0;
const createSession = model.session.bind(model);
const timings: Array<{
  userSpeechEndedAt?: number;
  firstAudioReceivedAt?: number;
  firstAudioAt?: number;
  userSpeechSentAt?: number;
}> = [];
model.session = () => {
  const session = createSession();
  session.on('stream_lifecycle', (e: { type: string; at: number }) => {
    if (e.type === 'opening') streamOpeningAt = e.at;
  });
  session.on('turn_timing', (t) => timings.push(t));
  return session;
};
const callerA = new Caller({ record: false });
const callerB = new Caller({ record: false });
await callerA.join(livekit, 'with-plugin');
const a = await startAgent(livekit, 'with-plugin', model);
// -- without
const instant = new InstantModel(
  await synthesizer.say('Very well.', { locale: 'en-US', register: 'feminine' } as never, 24_000),
);
await callerB.join(livekit, 'without');
const b = await startAgent(livekit, 'without', instant);
await sleep(1_500);

const turns: Array<{ endAt: number; soundAt: number }> = [];
for (let i = 0; i < TURNS + 1; i += 1) {
  const reported = timings.length;
  turns.push(await askQuestion(callerA, question));
  while (timings.length === reported) await sleep(10);
  const u = await askQuestion(callerB, question);
  const delay = instant.delays.at(-1);
  if (i > 0 && delay) {
    const own = delay.sentFirstSoundAt - delay.receivedLastSpeechAt;
    baseline.push({ total: u.soundAt - u.endAt, model: own, added: u.soundAt - u.endAt - own });
  }
}
await a.session.close();
await sleep(200);
const events = recorded();
starts.push(startTimes(events, streamOpeningAt, a.joinedAt));
while (starts.length < STARTS) {
  const name = `start-${starts.length}`;
  const caller = new Caller({ record: false });
  await caller.join(livekit, name);
  const { session, room, joinedAt } = await startAgent(livekit, name, model);
  await sleep(1_000);
  await session.close();
  await sleep(200);
  starts.push(startTimes(recorded(), streamOpeningAt, joinedAt));
  await caller.hangUp();
  await room.disconnect();
}
for (const [i, { endAt, soundAt }] of turns.entries()) {
  if (i === 0) continue;
  const sounds = events.filter(
    (e) => e.name === 'audioOutput' && e.time > endAt && e.time < soundAt,
  );
  // The caller measures up to the first sound, so silence at the start of the audio is part of the model's delay.
  const firstSoundAt = (sounds[0]?.time ?? Number.NaN) + leadingSilenceMs(sounds);
  const lastSpeechAt =
    events.findLast(
      (e) => e.name === 'audioInput' && e.time < (sounds[0]?.time ?? 0) && isSpeech(e),
    )?.time ?? Number.NaN;
  const timing = timings[i];
  const inside =
    (timing?.userSpeechSentAt ?? Number.NaN) -
    (timing?.userSpeechEndedAt ?? Number.NaN) +
    ((timing?.firstAudioAt ?? Number.NaN) - (timing?.firstAudioReceivedAt ?? Number.NaN));
  const model = firstSoundAt - lastSpeechAt;
  if (values.verbose) console.log(`leading silence ${leadingSilenceMs(sounds).toFixed(0)} ms`);
  withPlugin.push({
    total: soundAt - endAt,
    model,
    added: soundAt - endAt - model,
    plugin: inside,
  });
}

const row = (name: string, list: number[]) =>
  console.log(
    `${name.padEnd(64)} median ${median(list).toFixed(0).padStart(5)} ms   ${list.map((x) => x.toFixed(0)).join(' ')}`,
  );
console.log(`${TURNS} turns each, one LiveKit server on loopback`);
row(
  'with the plugin: end of speech to first sound',
  withPlugin.map((x) => x.total),
);
row(
  '  in the model (emulator)',
  withPlugin.map((x) => x.model),
);
row(
  '  everywhere else (LiveKit, WebRTC, framework, plugin)',
  withPlugin.map((x) => x.added),
);
row(
  '    in the plugin (pushAudio to SDK, Bedrock event to LiveKit)',
  withPlugin.map((x) => x.plugin),
);
row(
  'without the plugin: end of speech to first sound',
  baseline.map((x) => x.total),
);
row(
  '  in the model',
  baseline.map((x) => x.model),
);
row(
  '  everywhere else (LiveKit, WebRTC, framework)',
  baseline.map((x) => x.added),
);
const difference = median(withPlugin.map((x) => x.added)) - median(baseline.map((x) => x.added));
console.log(`added by the plugin: ${difference.toFixed(0)} ms (the limit is 20 ms)`);
console.log(`${STARTS} call starts, the first in a cold process`);
row(
  'from configured to accepting audio (the limit is 150 ms)',
  starts.map((x) => x.configured),
);
row(
  'from joining the room to the first audio at the model (the limit is 300 ms)',
  starts.map((x) => x.joined),
);

await Promise.all([callerA.hangUp(), callerB.hangUp()]);
await b.session.close();
await Promise.all([a.room.disconnect(), b.room.disconnect()]);
await model.close();
await synthesizer.close();
await emulator.process.stop();
rmSync(folder, { recursive: true, force: true });
await livekit.stop();
await dispose();
process.exit(
  difference <= 20 && starts.every((s) => s.configured <= 150 && s.joined <= 300) ? 0 : 1,
);
