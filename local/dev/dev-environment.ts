// SPDX-License-Identifier: Apache-2.0

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { deprecationWarnings, withDefaults } from '../../agent/src/environment.js';
import type { Line } from '../caller/caller.js';
import { startLiveKitServer } from '../livekit/server.js';
import { Child } from '../process/managed-process.js';
import { buildAgent } from './build-agent.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const STATE = process.env.WORLD_FILE || join(ROOT, '.cache', 'world.json');
const EMULATOR_TIMEOUT_MS = 30_000;
const WORKER_TIMEOUT_MS = 60_000;
/** What the emulator accepts; not a secret, and of no use anywhere else. */
const EMULATOR_KEYS = {
  AWS_ACCESS_KEY_ID: 'emulator',
  AWS_SECRET_ACCESS_KEY: 'emulator-secret',
};

export interface WorldOptions {
  /** `emulator`: the stand-in on this machine. `aws`: Amazon Bedrock with this machine's credentials. */
  bedrock: 'emulator' | 'aws';
  /** Scenario file for the emulator. */
  scenario?: string;
  /** File into which the emulator writes each session's events. */
  record?: string;
  /** Told what is happening. */
  say: (line: string) => void;
  /** Told each line of the worker's log. */
  onWorkerLine?: (line: string) => void;
}

/** Everything that a call needs, running. */
export interface World {
  line: Line;
  /** What answers: the endpoint of the emulator, or the Bedrock Region. */
  bedrock: { kind: 'emulator'; url: string } | { kind: 'aws'; region: string };
  /** Settles with a sentence when a part ended by itself. */
  broken: Promise<string>;
  stop(): Promise<void>;
}

/** Starts LiveKit, the emulator (unless Bedrock itself is wanted) and the worker; all of it ends with this process. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { say } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const broken: Promise<string>[] = [];
  const stop = async () => {
    for (const stopPart of stops.splice(0).reverse()) await stopPart();
  };
  const keep = (child: Child) => {
    stops.push(() => child.stop());
    broken.push(child.exited.then((code) => `The ${child.name} ended with code ${code}.`));
  };

  try {
    for (const warning of deprecationWarnings(process.env)) say(warning);
    await buildAgent(say);
    const livekit = await startLiveKitServer({ say });
    stops.push(() => livekit.stop());
    const line = { url: livekit.url, apiKey: livekit.apiKey, apiSecret: livekit.apiSecret };
    let bedrock: World['bedrock'] = { kind: 'aws', region: awsRegion() };
    if (options.bedrock === 'emulator') {
      const { child, url } = await startEmulatorProcess(options);
      keep(child);
      bedrock = { kind: 'emulator', url };
    }
    keep(await startWorkerProcess(line, bedrock, options.onWorkerLine));
    return { line, bedrock, broken: Promise.race(broken), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The emulator in a process of its own, ready. */
export async function startEmulatorProcess({
  scenario,
  record,
  port = 0,
  say,
}: Pick<WorldOptions, 'scenario' | 'record' | 'say'> & { port?: number }): Promise<{
  url: string;
  child: Child;
}> {
  const args = [
    '--import',
    'tsx',
    join(ROOT, 'packages/nova-sonic-emulator/src/cli.ts'),
    '--port',
    String(port),
  ];
  if (scenario) args.push('--scenario', scenario);
  if (record) args.push('--record', record);
  const child = new Child('emulator', process.execPath, args, {
    env: { ...process.env, ...EMULATOR_KEYS },
    onLine: (line, stream) => stream === 'stderr' && /warn|error/i.test(line) && say(line),
  });
  const ready = await child.line((line) => line.startsWith('ready '), EMULATOR_TIMEOUT_MS);
  const url = ready.split(' ')[1];
  if (!url) throw new Error(`The emulator's ready line names no address: ${ready}`);
  return { url, child };
}

/** The worker as production runs it, from its environment alone; resolves when it is registered. */
export async function startWorkerProcess(
  line: Line,
  bedrock: World['bedrock'],
  onLine?: (line: string) => void,
): Promise<Child> {
  const env = withDefaults(
    {
      ...process.env,
      LIVEKIT_URL: line.url,
      LIVEKIT_API_KEY: line.apiKey,
      LIVEKIT_API_SECRET: line.apiSecret,
      HEALTH_PORT: '0',
    },
    {
      // This machine is busy with other things too, and has no second task to send a call to.
      CPU_LOAD_THRESHOLD_PERCENT: '0',
      // Ctrl-C should not wait for calls.
      DRAIN_TIMEOUT_S: '1',
      END_CALL_INSTRUCTIONS: 'off',
    },
  );
  if (bedrock.kind === 'emulator') {
    Object.assign(env, EMULATOR_KEYS, { AWS_ENDPOINT_URL_BEDROCK_RUNTIME: bedrock.url });
    delete env.AWS_SESSION_TOKEN;
    delete env.AWS_PROFILE;
  }
  const worker = new Child('worker', process.execPath, [join(ROOT, 'agent/dist/main.js')], {
    env,
    graceMs: 10_000,
    ...(onLine && { onLine }),
  });
  await worker.line((text) => text.includes('"msg":"ready"'), WORKER_TIMEOUT_MS);
  return worker;
}

/** The Region that the AWS SDK would use. */
export function awsRegion(): string {
  return (
    process.env.BEDROCK_REGIONS?.split(',')[0]?.trim() ||
    process.env.AWS_REGION ||
    process.env.AWS_DEFAULT_REGION ||
    'us-east-1'
  );
}

/** What `npm start` leaves for other commands to find; only its owner can read it. */
interface State {
  pid: number;
  line: Line;
  bedrock: World['bedrock'];
}

/** Lets other commands find this world until `forgetWorld`. */
export function announceWorld({ line, bedrock }: World): void {
  mkdirSync(dirname(STATE), { recursive: true });
  const state: State = { pid: process.pid, line, bedrock };
  writeFileSync(STATE, JSON.stringify(state), { mode: 0o600 });
}

export function forgetWorld(): void {
  rmSync(STATE, { force: true });
}

/** The world that `npm start` of this checkout is running now. */
export async function runningWorld(): Promise<Omit<State, 'pid'> | undefined> {
  try {
    const state = JSON.parse(readFileSync(STATE, 'utf8')) as State;
    process.kill(state.pid, 0);
    const http = state.line.url.replace(/^ws/, 'http');
    const { ok } = await fetch(http, { signal: AbortSignal.timeout(1000) });
    return ok ? state : undefined;
  } catch {
    return undefined;
  }
}
