// SPDX-License-Identifier: Apache-2.0
// Runs many calls against the emulator, with renewals and random faults. Nothing may leak, no turn may be lost, and no
// message may appear twice. `npm run soak -- --calls 200 --together 20 --seed 1`
import { setTimeout as sleep } from 'node:timers/promises';
import '../../local/command/silence-warnings.js';
import { parseArgs } from 'node:util';
import { initializeLogger, llm, voice } from '@livekit/agents';
import { AudioFrame, dispose } from '@livekit/rtc-node';
import type { BedrockEvent, StreamLifecycle } from 'livekit-plugin-nova-sonic';
import { type Fault, startEmulator } from 'nova-sonic-emulator';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import seedrandom from 'seedrandom';
import { z } from 'zod';
import {
  type Rig,
  startRig,
} from '../../test/packages/livekit-plugin-nova-sonic/support/agent-harness.js';
import { FAULTS } from './faults.js';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '200' },
    together: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
    turns: { type: 'string', default: '2' },
    verbose: { type: 'boolean', default: false },
  },
});
const CALLS = Number(values.calls);
const TOGETHER = Number(values.together);
const TURNS = Number(values.turns);
const random = seedrandom(values.seed);
const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;

initializeLogger({ pretty: false, level: values.verbose ? 'warn' : 'silent' });

/** Timeout of one step of a call, retries included. */
const STEP_TIMEOUT_MS = 30_000;

interface Outcome {
  renewals: number;
  failovers: number;
  faults: number;
  problems: string[];
}

const emulator = await startEmulator({
  profile: 'fast',
  limits: { concurrentStreams: 1_000 },
  scenario: {
    turns: [
      { on: 'text', repeat: true, reply: 'Hello.' },
      { on: 'speech', tools: [{ name: 'look_up', args: { what: 'it' } }], reply: 'Here it is.' },
      { on: 'speech', repeat: true, reply: 'Very well.' },
    ],
  },
});
const synthesizer = new SpeechSynthesizer();
const synthesize = (text: string) =>
  synthesizer.say(text, { locale: 'en-US', register: 'feminine' } as never, 16_000);
const utterances = await Promise.all(
  [
    'What time is it?',
    'Please tell me more about that, would you?',
    'And what about the weather in the north of the country tomorrow?',
  ].map(synthesize),
);

/** Sends the caller's speech, four times as fast as people speak, and then silence. */
async function sendSpeech(rig: Rig, samples: Int16Array): Promise<void> {
  const whole = new Int16Array(samples.length + 16_000);
  whole.set(samples);
  for (let from = 0; from < whole.length; from += 160) {
    const part = whole.slice(from, from + 160);
    rig.sonic.pushAudio(new AudioFrame(part, 16_000, 1, part.length));
    if (from % 1_600 === 0) await sleep(25);
  }
}

async function within<T>(
  what: string,
  promise: Promise<T>,
  problems: string[],
): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      problems.push(`${what}: timed out after ${STEP_TIMEOUT_MS} ms`);
      resolve(undefined);
    }, STEP_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function call(index: number): Promise<Outcome> {
  const outcome: Outcome = { renewals: 0, failovers: 0, faults: 0, problems: [] };
  const { problems } = outcome;
  const trace: string[] = [];
  let fault: Fault | undefined;
  if (random() < 0.6) {
    fault = pick(FAULTS);
    emulator.setFault(fault);
    outcome.faults += 1;
  }
  const rig = await startRig(emulator.url, {
    speed: 1,
    model: {
      renewAfterMs: 700,
      timeouts: { progress: 1_500, firstEvent: 3_000 },
      retry: { baseDelayMs: 50 },
    },
    tools: {
      look_up: llm.tool({
        description: 'Looks something up',
        parameters: z.object({ what: z.string() }),
        execute: async ({ what }) => ({ what, found: true }),
      }),
    },
  });
  const t0 = Date.now();
  const note = (what: string) => trace.push(`${Date.now() - t0} ${what}`);
  rig.sonic.on('bedrock_server_event_received', (e: BedrockEvent) => {
    if (e.name !== 'audioOutput' && e.name !== 'usageEvent')
      note(`< ${e.streamId.slice(-4)} ${e.name} ${JSON.stringify(e.event).slice(0, 160)}`);
  });
  rig.sonic.on('bedrock_client_event_queued', (e: BedrockEvent) => {
    if (e.name === 'textInput' || e.name === 'toolResult')
      note(`> ${e.streamId.slice(-4)} ${e.name} ${JSON.stringify(e.event).slice(-90)}`);
  });
  rig.sonic.on('stream_lifecycle', (e: StreamLifecycle) =>
    note(`= ${e.streamId.slice(-4)} ${e.type} ${e.reason} ${e.kind ?? ''}`),
  );
  rig.sonic.on('stream_lifecycle', ({ type }: { type: string }) => {
    if (type === 'renewed') outcome.renewals += 1;
    if (type === 'failed_over') outcome.failovers += 1;
  });
  const closed = new Promise<void>((resolve) =>
    rig.session.once(voice.AgentSessionEventTypes.Close, () => resolve()),
  );
  const assistant = () => rig.items.filter((i) => i.role === 'assistant').length;
  const users = () => rig.items.filter((i) => i.role === 'user').length;
  const idle = async () => {
    while (rig.session.agentState === 'speaking' || rig.session.agentState === 'thinking')
      await sleep(20);
  };
  const answered = async (turn: number) => {
    while (users() < turn || rig.items.at(-1)?.role !== 'assistant') await sleep(20);
    await idle();
  };

  const greeting = rig.session.generateReply({ instructions: 'Greet the caller.' });
  await within(`call ${index} greeting`, greeting.waitForPlayout(), problems);
  for (let turn = 1; turn <= TURNS && problems.length === 0; turn += 1) {
    await sendSpeech(rig, utterances[(index + turn) % utterances.length] as Int16Array);
    await within(`call ${index} turn ${turn}`, Promise.race([answered(turn), closed]), problems);
    await sleep(random() * 600);
  }
  await idle();
  if (users() !== TURNS)
    problems.push(`call ${index}: ${users()} user messages for ${TURNS} turns`);
  if (assistant() < TURNS) problems.push(`call ${index}: only ${assistant()} replies`);
  const ids = rig.session.history.items.map((item) => item.id);
  if (new Set(ids).size !== ids.length) problems.push(`call ${index}: a message appears twice`);
  const own = rig.sonic.chatCtx.items.filter(
    (i) => i.type === 'message' && i.role === 'user',
  ).length;
  if (own !== TURNS)
    problems.push(`call ${index}: the plugin's own history has ${own} user messages`);
  if (problems.length > 0) {
    console.log(
      problems,
      fault,
      rig.items.map((i) => `${i.role}: ${i.textContent}`),
      rig.errors,
    );
    console.log(trace.join('\n'));
  }
  const sonic = rig.sonic;
  await rig.close();
  if (rig.model.openSessions !== 0) problems.push(`call ${index}: a session was left open`);
  const ours = ['stream_lifecycle', 'bedrock_server_event_received', 'bedrock_client_event_queued'];
  const listeners = sonic.eventNames().filter((name) => !ours.includes(String(name)));
  if (listeners.length > 0)
    problems.push(`call ${index}: listeners left on ${listeners.join(', ')}`);
  emulator.clearFaults();
  return outcome;
}

const heap = async (): Promise<number> => {
  // The emulator runs in this process, and its event log grows until it is full.
  emulator.events.history.length = 0;
  for (let i = 0; i < 4; i += 1) {
    globalThis.gc?.();
    await sleep(50);
  }
  return process.memoryUsage().heapUsed / 1_048_576;
};
const timers = () => process.getActiveResourcesInfo().filter((r) => r === 'Timeout').length;
const sockets = () =>
  process.getActiveResourcesInfo().filter((r) => r.startsWith('TCPSocket')).length;

process.on('unhandledRejection', (reason) => {
  problemsOutside.push(`unhandled rejection: ${reason}`);
});
const problemsOutside: string[] = [];
const outcomes: Outcome[] = [];
const begun = Date.now();

const WARM = Math.min(20, Math.ceil(CALLS / 4));
let before = { heap: 0, timers: 0, sockets: 0 };
for (let i = 0; i < CALLS; i += 1) {
  outcomes.push(await call(i));
  if (i + 1 === WARM) before = { heap: await heap(), timers: timers(), sockets: sockets() };
  if ((i + 1) % 20 === 0) {
    const failed = outcomes.flatMap((o) => o.problems).length;
    console.log(`${i + 1} calls, ${Math.round((Date.now() - begun) / 1000)} s, ${failed} problems`);
  }
}
const alone = await heap();
await Promise.all(
  Array.from({ length: TOGETHER }, (_, i) => call(CALLS + i).then((o) => outcomes.push(o))),
);
await sleep(1_500);
const after = { heap: await heap(), timers: timers(), sockets: sockets() };

const sum = (of: (o: Outcome) => number) => outcomes.reduce((total, o) => total + of(o), 0);
const problems = [...outcomes.flatMap((o) => o.problems), ...problemsOutside];
const growth = ((alone - before.heap) / before.heap) * 100;
if (growth > 10) problems.push(`the heap grew by ${growth.toFixed(1)} percent`);
if (emulator.sessions().length > 0)
  problems.push(`${emulator.sessions().length} streams were left open`);
if (after.timers > before.timers) problems.push(`${after.timers - before.timers} timers were left`);
if (after.sockets > before.sockets)
  problems.push(`${after.sockets - before.sockets} sockets were left`);

console.log(`calls              ${CALLS} sequential, ${TOGETHER} concurrent, ${TURNS} turns each`);
console.log(`took               ${Math.round((Date.now() - begun) / 1000)} s`);
console.log(`faults set         ${sum((o) => o.faults)}`);
console.log(`renewals           ${sum((o) => o.renewals)}`);
console.log(`failures survived  ${sum((o) => o.failovers)}`);
console.log(`open streams       ${emulator.sessions().length}`);
console.log(`timers             ${before.timers} -> ${after.timers}`);
console.log(`sockets            ${before.sockets} -> ${after.sockets}`);
console.log(
  `heap, MB           ${before.heap.toFixed(1)} after ${WARM} calls -> ${alone.toFixed(1)} after ${CALLS} (${growth.toFixed(1)} %) -> ${after.heap.toFixed(1)} after all`,
);
console.log(`problems           ${problems.length}`);
for (const problem of problems.slice(0, 40)) console.log(`  ${problem}`);
await synthesizer.close();
await emulator.close();
await dispose();
process.exit(problems.length > 0 ? 1 : 0);
