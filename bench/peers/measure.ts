// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { AgentDispatchClient } from 'livekit-server-sdk';
import { startEmulatorProcess } from '../../local/dev/emulator-process.js';
import type { HeardAnswer } from '../../local/fleet/light-caller.js';
import { CallerHosts, type RemoteCaller } from '../../local/fleet/remote-caller.js';
import { startLiveKitServer } from '../../local/livekit/server.js';
import { firstAudioTimes } from './model-times.js';
import { cpuSeconds, cpuSince, processTree, pssMiB } from './process-tree.js';
import { AGENT_NAME, startWorker, type WorkerKind } from './workers.js';

/** What one worker did with some calls at once. */
export interface Measurement {
  /** After a minute without a call. */
  idlePssMiB: number;
  callPssMiB: number;
  /** Percent of one core, for each call. */
  callCpuPercent: number;
  /** End of the question to first sound of the answer; ms, one for each question. */
  latencyMs: number[];
  /** Dispatch to agent in the room; ms, one for each call. */
  joinedMs: number[];
  /** Dispatch to the first audio that the model received; ms, one for each call. */
  firstAudioMs: number[];
}

export interface MeasureOptions {
  calls: number;
  /** Seconds for which the callers talk. */
  seconds: number;
  question: Int16Array;
}

/** The endpoint answers 300 ms after it has noticed the end of the question, with any client. */
const SCENARIO = {
  turns: [
    { on: 'text', reply: 'Good morning.', repeat: true },
    {
      on: 'speech',
      delay: 300,
      reply: 'It is a good time to talk, thank you for asking.',
      repeat: true,
    },
  ],
};
/**
 * From the last word to the first sound at the endpoint itself, in ms: the silence that ends a question, the lag after it,
 * its thinking, the 300 ms of the scenario, and its first audio. All but the 300 are means of the emulator's profile `capture`.
 */
export const ENDPOINT_MS = 1_600 + 164 + 311 + 300 + 127;
/** Idle: less than this share of a core over two seconds. */
const IDLE_CPU = 0.1;
const IDLE_PATIENCE_MS = 60_000;
/** A worker waits for its first call at least that long, as a rule; V8 gives memory back meanwhile. */
const WAITING_MS = 60_000;
const JOIN_PATIENCE_MS = 60_000;
/** Until a caller has heard the greeting: a question that comes before the session has begun is lost. */
const GREETING_PATIENCE_MS = 60_000;
/** Between the questions of two callers, so that each answer can be told from the others. */
const STAGGER_MS = 700;

/** Starts LiveKit, the endpoint and one worker, lets callers talk to it, and measures. */
export async function measure(kind: WorkerKind, options: MeasureOptions): Promise<Measurement> {
  const folder = mkdtempSync(join(tmpdir(), 'peers-'));
  const record = join(folder, 'events.jsonl');
  const scenario = join(folder, 'scenario.json');
  writeFileSync(scenario, JSON.stringify(SCENARIO));
  const server = await startLiveKitServer({ onStatus: () => {} });
  const livekit = { url: server.url, apiKey: server.apiKey, apiSecret: server.apiSecret };
  const emulator = await startEmulatorProcess({ scenario, record });
  const hosts = new CallerHosts();
  const worker = await startWorker(kind, { livekit, ...emulator, calls: options.calls });
  try {
    await untilIdle(worker.pid);
    await delay(WAITING_MS);
    const idlePssMiB = pssMiB(processTree(worker.pid));

    const callers = Array.from({ length: options.calls }, (_, i) => hosts.caller(`call-${i + 1}`));
    for (const caller of callers) await caller.join(livekit);
    const { url, apiKey, apiSecret } = livekit;
    const dispatcher = new AgentDispatchClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    const dispatchedAt = Date.now();
    await Promise.all(callers.map(({ name }) => dispatcher.createDispatch(name, AGENT_NAME)));
    // The endpoint answers no text before there is audio, and Python's plugin sends none of its own.
    const microphones = callers.map((caller) => caller.openMicrophone());
    // From now on: the first one may have been greeted before the last agent is there.
    const greetings = callers.map((caller) =>
      caller.listen(dispatchedAt, JOIN_PATIENCE_MS + GREETING_PATIENCE_MS),
    );
    const joinedMs = await Promise.all(
      callers.map(async (caller) => {
        const joinedAt = await caller.waitForAgent(JOIN_PATIENCE_MS);
        if (joinedAt === undefined) throw new Error(`No agent came to ${caller.name} in 60 s.`);
        return joinedAt - dispatchedAt;
      }),
    );
    const heard = await Promise.all(greetings);
    const silent = callers.filter((_, i) => !heard[i]).map(({ name }) => name);
    if (silent.length > 0) throw new Error(`The agent greeted nobody in ${silent.join(', ')}.`);
    await Promise.all(microphones);

    const before = cpuSeconds(processTree(worker.pid));
    const from = Date.now();
    const asked = await Promise.all(
      callers.map((caller, i) => talk(caller, options, from + i * STAGGER_MS)),
    );
    const seconds = (Date.now() - from) / 1000;
    const cpu = cpuSince(before, worker.pid);
    const callPssMiB = (pssMiB(processTree(worker.pid)) - idlePssMiB) / options.calls;
    await Promise.all(callers.map((caller) => caller.hangUp()));

    const firstAudio = await firstAudioTimes(record);
    return {
      idlePssMiB,
      callPssMiB,
      callCpuPercent: (100 * cpu) / seconds / options.calls,
      latencyMs: asked.flat().map(({ latencyMs }) => latencyMs),
      joinedMs,
      firstAudioMs: firstAudio.map((at) => at - dispatchedAt),
    };
  } finally {
    hosts.stop();
    await worker.kill();
    await emulator.process.stop();
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Asks the question again and again for as long as the options say. */
async function talk(
  caller: RemoteCaller,
  { seconds, question }: MeasureOptions,
  from: number,
): Promise<HeardAnswer[]> {
  await delay(Math.max(0, from - Date.now()));
  const answers: HeardAnswer[] = [];
  while (Date.now() < from + seconds * 1000) {
    const answer = await caller.ask(question, 20_000);
    if (!answer) throw new Error(`${caller.name} got no answer in 20 s.`);
    answers.push(answer);
    await delay(1_000);
  }
  return answers;
}

/** Waits until a worker has started all that it starts before there is a call. */
async function untilIdle(pid: number): Promise<void> {
  const end = Date.now() + IDLE_PATIENCE_MS;
  for (;;) {
    const before = cpuSeconds(processTree(pid));
    await delay(2_000);
    if (cpuSince(before, pid) < 2 * IDLE_CPU || Date.now() > end) return;
  }
}
