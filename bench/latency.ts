// SPDX-License-Identifier: Apache-2.0
// What stands between the end of the caller's words and the first sound of the reply, beyond the model's own delay:
// once with the plugin and the emulator, once with a model inside the agent that answers at once (LiveKit, WebRTC
// and the framework alone). Both in one run, on one real LiveKit server, turn about. Then how long a call takes to begin.
// `npm run bench:latency -- --turns 10 --starts 5`
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
import { SILENCE } from '../local/audio/wav.js';
import { CALLER_RATE, Caller, type Line } from '../local/caller/caller.js';
import { startLiveKitServer } from '../local/livekit/server.js';
import { Child } from '../local/process/managed-process.js';
import { loudness } from '../packages/livekit-plugin-nova-sonic/src/audio/chunker.js';
import type { Task } from './emulator.js';
import { InstantModel, WORDS } from './instant-model.js';

const { values } = parseArgs({
  options: {
    turns: { type: 'string', default: '10' },
    starts: { type: 'string', default: '5' },
    verbose: { type: 'boolean', default: false },
  },
});
const TURNS = Number(values.turns);
const STARTS = Number(values.starts);
initializeLogger({ pretty: false, level: values.verbose ? 'info' : 'silent' });
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (list: number[]) =>
  [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? Number.NaN;

/** A piece of audio as the emulator got it has words in it. */
function loud(event: EmulatorEvent): boolean {
  const pcm = Buffer.from(String(event.event.content), 'base64');
  return loudness(new Uint8Array(pcm)) > WORDS;
}

/** How much of the model's speech is silence before its first sound, in ms. */
function breathMs(sounds: readonly EmulatorEvent[]): number {
  const pcm = Buffer.concat(sounds.map((e) => Buffer.from(String(e.event.content), 'base64')));
  let at = 0;
  while (at + 1 < pcm.length && Math.abs(pcm.readInt16LE(at)) <= SILENCE) at += 2;
  return at / 2 / 24;
}

interface Start {
  /** From when instructions, tools and history were known to when the model took audio (ms). */
  configured: number;
  /** From when the agent was in the room to when the model had the caller's first audio (ms). */
  joined: number;
}

/** How the stream that was opened at a time began, by the emulator's record. */
function began(events: readonly EmulatorEvent[], openingAt: number, joinedAt: number): Start {
  const mine = events.filter((e) => e.direction === 'in' && e.time >= openingAt);
  const takesAudio = mine.find((e) => e.name === 'contentStart' && e.event.type === 'AUDIO');
  const firstAudio = mine.find((e) => e.name === 'audioInput');
  if (!takesAudio || !firstAudio) throw new Error('no audio came to the model');
  if (values.verbose)
    for (const e of events.filter((x) => x.time >= openingAt && x.time <= firstAudio.time))
      console.log(`  ${(e.time - openingAt).toFixed(0).padStart(5)} ms  ${e.direction} ${e.name}`);
  return { configured: takesAudio.time - openingAt, joined: firstAudio.time - joinedAt };
}

/** An agent in a room, in this process. */
async function agentInRoom(line: Line, name: string, model: llm.RealtimeModel) {
  const token = new AccessToken(line.apiKey, line.apiSecret, {
    identity: `agent-${name}`,
    ttl: '1h',
  });
  token.addGrant({ room: name, roomJoin: true, canPublish: true, canSubscribe: true, agent: true });
  const room = new Room();
  const begun = Date.now();
  await room.connect(line.url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
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
  return { session, room, joinedAt, connectMs: joinedAt - begun };
}

/** When the last word of a turn was sounded, and when the first sound of its reply was heard. */
async function turn(
  caller: Caller,
  words: Int16Array,
): Promise<{ endAt: number; soundAt: number }> {
  while (caller.audible) await sleep(20);
  await sleep(400);
  const spoken = caller.speak({ sampleRate: CALLER_RATE, samples: words });
  const endAt = await spoken;
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
// A process of its own, so that its work does not hold up the agent; its record says when it heard and spoke.
const folder = mkdtempSync(join(tmpdir(), 'latency-'));
const record = join(folder, 'events.jsonl');
writeFileSync(
  join(folder, 'scenario.json'),
  JSON.stringify({ turns: [{ on: 'speech', repeat: true, reply: 'Very well.' }] }),
);
const emulator = new Child('emulator', process.execPath, [
  '--import',
  'tsx',
  'packages/nova-sonic-emulator/src/cli.ts',
  '--scenario',
  join(folder, 'scenario.json'),
  '--record',
  record,
  '--record-audio',
]);
const url = (await emulator.line((line) => line.startsWith('ready '), 60_000)).split(
  ' ',
)[1] as string;
// Others have talked to Bedrock before, and so it is never cold.
const other = fork(fileURLToPath(new URL('./emulator-client.ts', import.meta.url)), {
  execArgv: ['--import', 'tsx'],
});
other.send({ url, sessions: 1, seconds: 3 } satisfies Task);
await once(other, 'exit');
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
// The last word ends where it is loud, not in a fading breath: both sides then agree on the end.
let end = words.length;
while (
  end > 480 &&
  loudness(new Uint8Array(words.buffer, words.byteOffset + (end - 480) * 2, 960)) < 1_500
)
  end -= 480;
const question = words.slice(0, end);

const ours: Array<{ total: number; model: number; added: number; plugin: number }> = [];
const alone: Array<{ total: number; model: number; added: number }> = [];
/** The first is the cold one: of this process only the SDK is warm, as in a worker's process that waits for a call. */
const starts: Start[] = [];

// -- with the plugin
await prewarm();
const model = new RealtimeModel({
  endpoint: url,
  credentials: { accessKeyId: 'emulator', secretAccessKey: 'emulator-secret' },
  region: 'us-east-1',
});
let streamOpeningAt = 0;
const make = model.session.bind(model);
const timings: Array<{
  userSpeechEndedAt?: number;
  firstAudioReceivedAt?: number;
  firstAudioAt?: number;
  userSpeechSentAt?: number;
}> = [];
model.session = () => {
  const session = make();
  session.on('stream_lifecycle', (e: { type: string; at: number }) => {
    if (e.type === 'opening') streamOpeningAt = e.at;
  });
  session.on('turn_timing', (t) => timings.push(t));
  return session;
};
const callerA = new Caller({ record: false });
const callerB = new Caller({ record: false });
await callerA.join(livekit, 'with-plugin');
const a = await agentInRoom(livekit, 'with-plugin', model);
// -- without
const instant = new InstantModel(
  await synthesizer.say('Very well.', { locale: 'en-US', register: 'feminine' } as never, 24_000),
);
await callerB.join(livekit, 'without');
const b = await agentInRoom(livekit, 'without', instant);
await sleep(1_500);

const turns: Array<{ endAt: number; soundAt: number }> = [];
for (let i = 0; i < TURNS + 1; i += 1) {
  const told = timings.length;
  turns.push(await turn(callerA, question));
  while (timings.length === told) await sleep(10);
  const u = await turn(callerB, question);
  const share = instant.shares.at(-1);
  if (i > 0 && share) {
    const own = share.gaveFirstSoundAt - share.hadLastWordAt;
    alone.push({ total: u.soundAt - u.endAt, model: own, added: u.soundAt - u.endAt - own });
  }
}
await a.session.close();
await sleep(200);
const events = recorded();
starts.push(began(events, streamOpeningAt, a.joinedAt));
while (starts.length < STARTS) {
  const name = `start-${starts.length}`;
  const caller = new Caller({ record: false });
  await caller.join(livekit, name);
  const { session, room, joinedAt } = await agentInRoom(livekit, name, model);
  await sleep(1_000);
  await session.close();
  await sleep(200);
  starts.push(began(recorded(), streamOpeningAt, joinedAt));
  await caller.hangUp();
  await room.disconnect();
}
for (const [i, { endAt, soundAt }] of turns.entries()) {
  if (i === 0) continue;
  const sounds = events.filter(
    (e) => e.name === 'audioOutput' && e.time > endAt && e.time < soundAt,
  );
  // Speech begins with a breath that nobody hears: it is the model's, as the caller counts from the first sound.
  const gave = (sounds[0]?.time ?? Number.NaN) + breathMs(sounds);
  const had =
    events.findLast((e) => e.name === 'audioInput' && e.time < (sounds[0]?.time ?? 0) && loud(e))
      ?.time ?? Number.NaN;
  const timing = timings[i];
  const inside =
    (timing?.userSpeechSentAt ?? Number.NaN) -
    (timing?.userSpeechEndedAt ?? Number.NaN) +
    ((timing?.firstAudioAt ?? Number.NaN) - (timing?.firstAudioReceivedAt ?? Number.NaN));
  const model = gave - had;
  if (values.verbose) console.log(`breath ${breathMs(sounds).toFixed(0)} ms`);
  ours.push({ total: soundAt - endAt, model, added: soundAt - endAt - model, plugin: inside });
}

const row = (name: string, list: number[]) =>
  console.log(
    `${name.padEnd(64)} median ${median(list).toFixed(0).padStart(5)} ms   ${list.map((x) => x.toFixed(0)).join(' ')}`,
  );
console.log(`${TURNS} turns each, one LiveKit server on loopback`);
row(
  'with the plugin: end of speech to first sound',
  ours.map((x) => x.total),
);
row(
  '  of it the model (emulator)',
  ours.map((x) => x.model),
);
row(
  '  of it everything else (LiveKit, WebRTC, framework, plugin)',
  ours.map((x) => x.added),
);
row(
  '    of it inside the plugin (pushAudio to SDK, wire to LiveKit) ',
  ours.map((x) => x.plugin),
);
row(
  'without it: end of speech to first sound',
  alone.map((x) => x.total),
);
row(
  '  of it the model',
  alone.map((x) => x.model),
);
row(
  '  of it everything else (LiveKit, WebRTC, framework)',
  alone.map((x) => x.added),
);
const difference = median(ours.map((x) => x.added)) - median(alone.map((x) => x.added));
console.log(`what the plugin adds: ${difference.toFixed(0)} ms (the limit is 20 ms)`);
console.log(`${STARTS} beginnings of a call, the first in a cold process`);
row(
  'from configured to taking audio (the limit is 150 ms)',
  starts.map((x) => x.configured),
);
row(
  'from joining the room to the first audio at the model (300 ms)',
  starts.map((x) => x.joined),
);

await Promise.all([callerA.hangUp(), callerB.hangUp()]);
await b.session.close();
await Promise.all([a.room.disconnect(), b.room.disconnect()]);
await model.close();
await synthesizer.close();
await emulator.stop();
rmSync(folder, { recursive: true, force: true });
await livekit.stop();
await dispose();
process.exit(
  difference <= 20 && starts.every((s) => s.configured <= 150 && s.joined <= 300) ? 0 : 1,
);
