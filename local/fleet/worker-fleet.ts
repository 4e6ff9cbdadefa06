// SPDX-License-Identifier: Apache-2.0

import { randomInt } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { clearLockedPorts } from 'get-port';
import { AgentDispatchClient } from 'livekit-server-sdk';
import type { CallerConditions } from '../caller/device.js';
import { buildAgent } from '../dev/build-agent.js';
import {
  EMULATOR_CREDENTIALS,
  type EmulatorProcess,
  startEmulatorProcess,
} from '../dev/emulator-process.js';
import type { LiveKitConnection } from '../livekit/connection.js';
import { type LiveKitServer, startLiveKitServer } from '../livekit/server.js';
import { EcsEndpoint, type EcsFaults } from './ecs-endpoint.js';
import type { ServiceSettings } from './ecs-model.js';
import { EcsService, type WorkerDefinition } from './ecs-service.js';
import { synthesizeQuestion } from './question.js';
import { CallerHosts, type RemoteCaller } from './remote-caller.js';
import { WorkerProcess } from './worker-process.js';

const WORKER_MAIN = fileURLToPath(new URL('../../agent/dist/main.js', import.meta.url));
const SCENARIO = fileURLToPath(new URL('scenario.yaml', import.meta.url));
const AGENT_NAME = 'fleet';
const READY_TIMEOUT_MS = 60_000;

export interface FleetOptions {
  /** Calls that one worker takes. Default 10. */
  callsPerTask?: number;
  /** Bedrock Regions, in order. Default: us-east-1. */
  regions?: string[];
  /** Concurrent streams that the emulator allows in one Region. Default 20, as in Bedrock. */
  streamsPerRegion?: number;
  /** Scenario file of the emulator. Default: many short calls. */
  scenario?: string;
  /** What all callers are like. Default: without telephones and noise. */
  callers?: CallerConditions;
  /** Additional environment variables of the workers. */
  env?: NodeJS.ProcessEnv;
  /** Called with each line of the LiveKit server's log. */
  onLiveKitLine?: (line: string) => void;
  /** Reports progress. */
  onStatus?: (line: string) => void;
}

/** A call that was offered to the workers. */
export interface Offer {
  /** When, in ms since the epoch. */
  at: number;
  /** Whether LiveKit has assigned it to a worker. */
  taken(): Promise<boolean>;
  withdraw(): Promise<void>;
}

/** A fleet on one machine: LiveKit, the emulator, a stand-in for ECS with services of workers, and callers. */
export class Fleet {
  readonly workers: WorkerProcess[] = [];
  readonly callers: RemoteCaller[] = [];
  readonly #options: FleetOptions;
  #livekit: LiveKitServer;
  readonly #emulator: EmulatorProcess;
  /** The stand-in for ECS. */
  readonly ecs: EcsEndpoint;
  readonly #services: EcsService[] = [];
  #lastName = 0;
  readonly #hosts = new CallerHosts();

  private constructor(
    options: FleetOptions,
    livekit: LiveKitServer,
    emulator: EmulatorProcess,
    ecs: EcsEndpoint,
    /** The question that every caller asks. */
    readonly question: Int16Array,
  ) {
    this.#options = options;
    this.#livekit = livekit;
    this.#emulator = emulator;
    this.ecs = ecs;
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const onStatus = options.onStatus ?? (() => {});
    await buildAgent(onStatus);
    const [livekit, emulator, ecs, question] = await Promise.all([
      // Below the range of outgoing connections (from 32768), so that the port is still free when the server restarts.
      startLiveKitServer({
        port: randomInt(20_000, 30_000),
        onStatus,
        ...(options.onLiveKitLine && { onLine: options.onLiveKitLine }),
      }),
      startEmulatorProcess({
        scenario: options.scenario ?? SCENARIO,
        maxStreams: options.streamsPerRegion ?? 20,
      }),
      EcsEndpoint.start(),
      synthesizeQuestion('What time is it in Tokyo?', options.callers?.phone),
    ]);
    return new Fleet(options, livekit, emulator, ecs, question);
  }

  /** Whether a process of a worker carries several calls; CALLS_PER_PROCESS=1 makes it one for each call. */
  get sharedProcesses(): boolean {
    return process.env.CALLS_PER_PROCESS !== '1';
  }

  get livekit(): LiveKitConnection {
    const { url, apiKey, apiSecret } = this.#livekit;
    return { url, apiKey, apiSecret };
  }

  /**
   * Starts workers at the same time and waits until each has an idle process for every slot. They are the tasks of a
   * service of their own, in which nothing is replaced.
   */
  async startWorkers(
    count: number,
    ecs: EcsFaults = {},
    env: NodeJS.ProcessEnv = {},
  ): Promise<WorkerProcess[]> {
    const slots = this.#options.callsPerTask ?? 10;
    const service = this.createService({ replaceTasks: false });
    const definition: WorkerDefinition = { name: 'worker:1', env, ecs };
    service.scheduler.update({ desired: count, definition });
    await service.waitUntil('workers', () => service.workers.length === count, READY_TIMEOUT_MS);
    const started = service.workers;
    await Promise.all(started.map((worker) => worker.ready()));
    await Promise.all(started.map((worker) => worker.waitUntil((h) => h.warm >= slots, 120_000)));
    return [...started];
  }

  /** A service without tasks; `update` of its scheduler starts them. */
  createService(settings: ServiceSettings = {}): EcsService {
    const slots = this.#options.callsPerTask ?? 10;
    const service = new EcsService(
      `service-${this.#services.length + 1}`,
      this.ecs,
      (definition, { env, handle }) => {
        this.#lastName += 1;
        const environment = { ...env, ...this.#environment(slots), ...definition.env };
        const name = `worker-${this.#lastName}`;
        const worker = new WorkerProcess(name, handle, WORKER_MAIN, environment);
        this.workers.push(worker);
        return worker;
      },
      settings,
    );
    this.#services.push(service);
    return service;
  }

  /** Adds callers; each joins a room of its own, without an agent. */
  async joinCallers(count: number): Promise<RemoteCaller[]> {
    const joined = await Promise.all(
      Array.from({ length: count }, async () => {
        this.#lastName += 1;
        // LiveKit names the rooms of telephone calls like this.
        const caller = this.#hosts.caller(`call-_+15550100${process.pid}_${this.#lastName}`);
        this.callers.push(caller);
        await caller.join(this.livekit, this.#options.callers);
        return caller;
      }),
    );
    return joined;
  }

  /** Dispatches the agent to the caller's room, with metadata for it. */
  async offer(caller: RemoteCaller, metadata = ''): Promise<Offer> {
    const { url, apiKey, apiSecret } = this.#livekit;
    const client = new AgentDispatchClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    const at = Date.now();
    const { id } = await client.createDispatch(caller.name, AGENT_NAME, { metadata });
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

  /** Sends a request to the emulator's control API. */
  async requestEmulator<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${this.#emulator.controlUrl}${path}`, {
      method,
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return (await response.json()) as T;
  }

  /** Stops the LiveKit server; the function that it returns starts it again at the same address. */
  async killLiveKit(): Promise<() => Promise<void>> {
    const { url, apiKey, apiSecret } = this.#livekit;
    const port = Number(new URL(url).port);
    await this.#livekit.stop();
    return async () => {
      // get-port does not return a port again while it remembers it.
      clearLockedPorts();
      this.#livekit = await startLiveKitServer({ port, apiKey, apiSecret, onStatus: () => {} });
      if (this.#livekit.url !== url) throw new Error(`port ${port} was taken by another process`);
    };
  }

  async stop(): Promise<void> {
    this.callers.length = 0;
    this.#hosts.stop();
    this.workers.length = 0;
    await Promise.all(this.#services.map((service) => service.stop()));
    await Promise.all([this.#emulator.process.stop(), this.#livekit.stop(), this.ecs.stop()]);
  }

  #environment(slots: number): NodeJS.ProcessEnv {
    const { url, apiKey, apiSecret } = this.#livekit;
    const env: NodeJS.ProcessEnv = {
      ...process.env,
      ...EMULATOR_CREDENTIALS,
      NODE_ENV: 'production',
      LIVEKIT_URL: url,
      LIVEKIT_API_KEY: apiKey,
      LIVEKIT_API_SECRET: apiSecret,
      LIVEKIT_AGENT_NAME: AGENT_NAME,
      AWS_ENDPOINT_URL_BEDROCK_RUNTIME: this.#emulator.url,
      BEDROCK_REGIONS: (this.#options.regions ?? ['us-east-1']).join(','),
      CALLS_PER_TASK: String(slots),
      // The tasks share one machine, so its CPU load says nothing about a single task.
      CPU_LOAD_THRESHOLD_PERCENT: '0',
      METRICS_INTERVAL_S: '1',
      // Callers in tests hang up early; do not keep their slots waiting.
      WAIT_FOR_CALLER_S: '5',
      ...this.#options.env,
    };
    for (const name of ['AWS_PROFILE', 'AWS_SESSION_TOKEN', 'NODE_OPTIONS']) delete env[name];
    return env;
  }
}
