// SPDX-License-Identifier: Apache-2.0

import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { clearLockedPorts } from 'get-port';
import { AgentDispatchClient } from 'livekit-server-sdk';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';
import type { Line } from '../caller/caller.js';
import { buildAgent } from '../dev/build-agent.js';
import { type LiveKitServer, startLiveKitServer } from '../livekit/server.js';
import { Child } from '../process/managed-process.js';
import type { EcsAgentOptions } from './ecs-agent.js';
import { CallerHosts, type RemoteCaller } from './remote-caller.js';
import { WorkerProcess } from './worker-process.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = join(ROOT, 'agent/dist/main.js');
const AGENT_NAME = 'fleet';
/** The rate of the light callers' sound. */
const QUESTION_RATE = 16_000;
const EMULATOR_TIMEOUT_MS = 30_000;
const KEYS = { AWS_ACCESS_KEY_ID: 'emulator', AWS_SECRET_ACCESS_KEY: 'emulator-secret' };

export interface FleetOptions {
  /** Calls that one worker takes. Default 10. */
  callsPerTask?: number;
  /** Bedrock Regions, in order. Default: one. */
  regions?: string[];
  /** Streams that the emulator allows in one Region. Default 20, as Bedrock. */
  streamsPerRegion?: number;
  /** More of the workers' environment. */
  env?: NodeJS.ProcessEnv;
  /** Told what is happening. */
  say?: (line: string) => void;
}

/** A call that was offered to the workers. */
export interface Offer {
  /** When, in ms since the epoch. */
  at: number;
  /** Whether a worker has taken it, as LiveKit says. */
  taken(): Promise<boolean>;
  withdraw(): Promise<void>;
}

/** A fleet on one machine: a LiveKit server, workers, ECS's agent for each, the emulator, and callers. */
export class Fleet {
  readonly workers: WorkerProcess[] = [];
  readonly callers: RemoteCaller[] = [];
  readonly #options: FleetOptions;
  #livekit: LiveKitServer;
  #emulator: Child;
  #names = 0;
  readonly #hosts = new CallerHosts();

  private constructor(
    options: FleetOptions,
    livekit: LiveKitServer,
    emulator: Child,
    readonly emulatorUrl: string,
    readonly controlUrl: string,
    /** What every caller asks. */
    readonly question: Int16Array,
  ) {
    this.#options = options;
    this.#livekit = livekit;
    this.#emulator = emulator;
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const say = options.say ?? (() => {});
    await buildAgent(say);
    const [livekit, [emulator, url, control], question] = await Promise.all([
      // A port that nobody prefers and no outgoing connection gets (those begin at 32768), so that it is still ours
      // when the server is started again.
      startLiveKitServer({ port: randomInt(20_000, 30_000), say }),
      startEmulator(options.streamsPerRegion ?? 20),
      spoken('What time is it in Tokyo?'),
    ]);
    return new Fleet(options, livekit, emulator, url, control, question);
  }

  get line(): Line {
    const { url, apiKey, apiSecret } = this.#livekit;
    return { url, apiKey, apiSecret };
  }

  /** Starts workers at the same time and waits until each has a warm process for every slot. */
  async startWorkers(
    count: number,
    ecs: EcsAgentOptions = {},
    env: NodeJS.ProcessEnv = {},
  ): Promise<WorkerProcess[]> {
    const slots = this.#options.callsPerTask ?? 10;
    const started = await Promise.all(
      Array.from({ length: count }, () => {
        this.#names += 1;
        const name = `worker-${this.#names}`;
        return WorkerProcess.start(name, MAIN, { ...this.#environment(slots), ...env }, ecs);
      }),
    );
    this.workers.push(...started);
    await Promise.all(started.map((worker) => worker.until((h) => h.warm >= slots, 120_000)));
    return started;
  }

  /** Callers who have joined a room each, without an agent. */
  async join(count: number): Promise<RemoteCaller[]> {
    const joined = await Promise.all(
      Array.from({ length: count }, async () => {
        this.#names += 1;
        // As LiveKit names the rooms of telephone calls.
        const caller = this.#hosts.caller(`call-_+15550100${process.pid}_${this.#names}`);
        this.callers.push(caller);
        await caller.join(this.line);
        return caller;
      }),
    );
    return joined;
  }

  /** Offers a caller's call to the workers. */
  async offer(caller: RemoteCaller): Promise<Offer> {
    const { url, apiKey, apiSecret } = this.#livekit;
    const client = new AgentDispatchClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    const at = Date.now();
    const { id } = await client.createDispatch(caller.name, AGENT_NAME);
    return {
      at,
      taken: async () => {
        const dispatch = await client.getDispatch(id, caller.name);
        return (dispatch?.state?.jobs.length ?? 0) > 0;
      },
      withdraw: () => client.deleteDispatch(id, caller.name).catch(() => {}),
    };
  }

  async hangUp(callers = this.callers): Promise<void> {
    await Promise.all([...callers].map((caller) => caller.hangUp()));
    for (const caller of [...callers]) this.callers.splice(this.callers.indexOf(caller), 1);
  }

  /** Asks something of the emulator's control address. */
  async emulator<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.controlUrl}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Kills the LiveKit server and returns what starts it again, at the same address. */
  async killLiveKit(): Promise<() => Promise<void>> {
    const { url, apiKey, apiSecret } = this.#livekit;
    const port = Number(new URL(url).port);
    await this.#livekit.stop();
    return async () => {
      // get-port remembers the ports that it gave away, and would not give ours again.
      clearLockedPorts();
      this.#livekit = await startLiveKitServer({ port, apiKey, apiSecret, say: () => {} });
      if (this.#livekit.url !== url) throw new Error(`port ${port} was taken by somebody else`);
    };
  }

  async stop(): Promise<void> {
    this.callers.length = 0;
    this.#hosts.stop();
    await Promise.all(this.workers.splice(0).map((worker) => worker.kill()));
    await Promise.all([this.#emulator.stop(), this.#livekit.stop()]);
  }

  #environment(slots: number): NodeJS.ProcessEnv {
    const { url, apiKey, apiSecret } = this.#livekit;
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...KEYS,
      NODE_ENV: 'production',
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      LIVEKIT_AGENT_NAME: AGENT_NAME,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: this.emulatorUrl,
      BEDROCK_REGIONS: (this.#options.regions ?? ['us-east-1']).join(','),
      CALLS_PER_TASK: String(slots),
      // The tasks of this fleet share one machine, whose CPU says nothing about any one of them.
      CPU_LOAD_THRESHOLD_PERCENT: '0',
      METRICS_INTERVAL_S: '1',
      // Callers of tests hang up early, and a slot that waits for them helps nobody.
      WAIT_FOR_CALLER_S: '5',
      ...this.#options.env,
    };
    for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'NODE_OPTIONS']) delete env[name];
    return env;
  }
}

async function startEmulator(streams: number): Promise<[Child, string, string]> {
  const args = ['--import', 'tsx', join(ROOT, 'packages/nova-sonic-emulator/src/cli.ts')];
  args.push('--scenario', join(ROOT, 'local/fleet/scenario.yaml'), '--max-streams', `${streams}`);
  const { NODE_OPTIONS: _, ...env } = process.env;
  const emulator = new Child('emulator', process.execPath, args, {
    cwd: ROOT,
    env: { ...env, ...KEYS },
  });
  const ready = await emulator.line((line) => line.startsWith('ready '), EMULATOR_TIMEOUT_MS);
  const control = await emulator.line((line) => /control/.test(line), EMULATOR_TIMEOUT_MS);
  const address = /http:\/\/127\.0\.0\.1:\d+/.exec(control)?.[0];
  if (!address) throw new Error(`The emulator's control line names no address: ${control}`);
  return [emulator, ready.split(' ')[1] ?? '', address];
}

async function spoken(text: string): Promise<Int16Array> {
  const speech = new SpeechSynthesizer();
  try {
    return await speech.say(text, { locale: 'en-US', register: 'masculine' }, QUESTION_RATE);
  } finally {
    await speech.close();
  }
}
