// SPDX-License-Identifier: Apache-2.0
// An AgentWorker whose clock, process, LiveKit and ECS the test plays; only the socket of the job processes is real.

import { EventEmitter, once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import type { AgentServer, JobRequest, ServerOptions } from '@livekit/agents';
import { readWorkerConfig } from '../../../agent/src/config.js';
import type {
  CooldownsMessage,
  JobCommand,
  JobReport,
} from '../../../agent/src/supervision/supervisor-messages.js';
import type { RoomsApi } from '../../../agent/src/watcher/rooms-api.js';
import { AgentWorker } from '../../../agent/src/worker/agent-worker.js';
import type { HealthState } from '../../../agent/src/worker/health-server.js';
import { systemPeers, type WorkerPeers } from '../../../agent/src/worker/worker-peers.js';
import { ManualClock } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';

/** Process ids from here on exist on no machine (Linux has 4 194 304 at most): the worker kills processes by their id. */
export const NO_PROCESS = 5_000_000;

interface RigOptions {
  /** Environment variables of the worker. */
  env?: Record<string, string>;
  /** Errors of the first attempts to open the health port. */
  healthErrors?: Error[];
  /** LiveKit's API. Default: nobody watches, and nobody asks. */
  rooms?: RoomsApi;
  clock?: ManualClock;
  /** Milliseconds since the epoch. */
  wallClock?: () => number;
  /** When the first process can take a call. Default: from the beginning. */
  ready?: Promise<void>;
  /** What the test plays in another way than the rig. */
  peers?: Partial<WorkerPeers>;
}

/** Starts a worker; it is not registered yet. */
export async function beginWorker({
  env = {},
  healthErrors = [],
  rooms,
  clock = new ManualClock(),
  wallClock = Date.now,
  ready,
  peers: others = {},
}: RigOptions = {}) {
  const log: string[] = [];
  const metrics: Record<string, unknown>[] = [];
  const signals = new EventEmitter();
  const loads: { load: number; status: number }[] = [];
  const processes = { shared: false, room: 2, failures: 0, others: false };
  const serverEvents = new EventEmitter();
  const repeating = new Set<() => void>();
  const jobEnvironment: NodeJS.ProcessEnv = {};
  let onServerClose = async () => {};
  let health: HealthState | undefined;
  let options: ServerOptions | undefined;
  let endServer: (error?: Error) => void = () => {};
  const serverRuns = new Promise<void>((resolve, reject) => {
    endServer = (error) => (error ? reject(error) : resolve());
  });
  const peers: WorkerPeers = {
    ...systemPeers,
    clock,
    wallClock,
    process: { env: jobEnvironment, on: (signal, listener) => signals.on(signal, listener) },
    every(ms, fn) {
      let cancel = () => {};
      const plan = () => {
        cancel = clock.after(ms, () => {
          plan();
          fn();
        });
      };
      plan();
      const stop = () => {
        cancel();
        repeating.delete(stop);
      };
      repeating.add(stop);
      return stop;
    },
    createServer(given) {
      options = given;
      const server = {
        id: 'AW_1',
        event: serverEvents,
        run: () => serverRuns,
        async close() {
          log.push('server closed');
          await onServerClose();
        },
      };
      return server as unknown as AgentServer;
    },
    createJobProcesses: () => ({
      get shared() {
        return processes.shared;
      },
      get room() {
        return processes.room;
      },
      get failures() {
        return processes.failures;
      },
      ready: ready ?? Promise.resolve(),
      install: async () => true,
      resize: () => void log.push('resize'),
      retire: (pid) => void log.push(`retire ${pid}`),
      resume: (job) => {
        log.push(`resume ${job}`);
        return processes.others;
      },
      forget: (job) => void log.push(`forget ${job}`),
      killInitializing: () => void log.push('kill initializing'),
    }),
    async serveHealth(port, state) {
      log.push(`health port ${port}`);
      const error = healthErrors.shift();
      if (error) throw error;
      health = state;
      return { address: () => ({ port }) } as Awaited<ReturnType<WorkerPeers['serveHealth']>>;
    },
    async endDeadCall(_config, { room, job }) {
      log.push(`remove ${job} from ${room}`);
    },
    createRooms() {
      if (!rooms) throw new Error('The test has no LiveKit.');
      return rooms;
    },
    ...others,
  };
  const config = readWorkerConfig({
    LIVEKIT_URL: 'ws://127.0.0.1:7880',
    LIVEKIT_API_KEY: 'key',
    LIVEKIT_API_SECRET: 'secret',
    CALLS_PER_TASK: '2',
    WATCHER_REQUESTS_PER_S: rooms ? '50' : '0',
    WATCHER_PRESENCE: 'off',
    ...env,
  });
  Object.assign(config.metrics, {
    write: (line: string) => metrics.push(JSON.parse(line) as Record<string, unknown>),
  });
  const worker = new AgentWorker(config, '/agent.js', peers);
  let exitCode: number | undefined;
  const exited = worker.run().then((code) => {
    exitCode = code;
    return code;
  });
  exited.catch(() => {});
  const started = ready
    ? until('it waits for its processes', () => log.includes('resize'))
    : until('the server is created', () => options !== undefined);
  await Promise.race([started, exited]).catch(() => {});

  /** LiveKit offers a job, for a room if it matters whose turn it is; true: it was accepted. */
  async function offer(id: string, roomSid?: string): Promise<boolean> {
    let answer: boolean | undefined;
    await options?.requestFunc({
      id,
      room: roomSid && { sid: roomSid },
      accept: async () => {
        answer = true;
      },
      reject: async () => {
        answer = false;
      },
    } as unknown as JobRequest);
    return answer as boolean;
  }

  /** A job process connects. */
  async function connectProcess(pid: number) {
    const socket = connect(jobEnvironment.SUPERVISOR_SOCKET as string);
    const received: (JobCommand | CooldownsMessage)[] = [];
    let rest = '';
    socket.on('data', (data) => {
      const lines = `${rest}${data}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) received.push(JSON.parse(line));
    });
    await once(socket, 'connect');
    const report = (...reports: JobReport[]) =>
      socket.write(reports.map((one) => `${JSON.stringify(one)}\n`).join(''));
    /** Resolves when everything that was reported has been read: it is answered in order. */
    const read = async () => {
      const before = received.length;
      report({ type: 'hello', pid });
      await until('it was read', () => received.length > before);
    };
    await read();
    return { report, read, die: () => socket.destroy(), received };
  }

  /** Takes a call, whose process runs it. */
  /** @param offered false: another process takes up a call whose process died */
  async function call(job: string, { offered = true } = {}) {
    if (offered && !(await offer(job))) throw new Error(`${job} was rejected`);
    const process = await connectProcess(NO_PROCESS + Number(job.slice(1)));
    process.report({ type: 'call', job, room: `room-${job}`, roomSid: 'RM' });
    await process.read();
    return {
      ...process,
      commands: () => process.received.filter(({ type }) => type !== 'cooldowns'),
      /** The call ends in order, and its process exits. */
      end: () => {
        process.report({ type: 'ended', job, reason: 'participant_disconnected' });
        process.report({ type: 'closed', job });
      },
    };
  }

  return {
    clock,
    log,
    worker,
    exited,
    get exitCode() {
      return exitCode;
    },
    metrics,
    loads,
    processes,
    repeating,
    jobEnvironment,
    get health() {
      return health as HealthState;
    },
    calls: () => health?.details().calls,
    /** Whether the worker offers itself to LiveKit. */
    serves: () => options !== undefined,
    signal: (name: 'SIGTERM' | 'SIGINT') => signals.emit(name),
    endServer,
    /** Something to be done while the server is closed. */
    onServerClose(act: () => Promise<void>) {
      onServerClose = act;
    },
    /** LiveKit accepts the worker. */
    register() {
      serverEvents.on('worker_msg', ({ message }) => loads.push(message.value));
      serverEvents.emit('worker_registered');
    },
    loseConnection: () => serverEvents.removeAllListeners('worker_msg'),
    offer,
    connectProcess,
    call,
    /** The values that were published of a metric. */
    published: (name: string) =>
      metrics
        .flatMap((line) => (name in line ? [line[name]] : []))
        .flat()
        .map(Number),
  };
}

/** The endpoint of ECS on a task: what the task asked for, in order. */
export async function startEcsAgent() {
  const asked: boolean[] = [];
  const metadataRequests: (string | undefined)[] = [];
  const server = createHttpServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += part;
    if (request.method === 'GET') {
      metadataRequests.push(request.url);
      response.writeHead(404).end();
      return;
    }
    const { ProtectionEnabled } = JSON.parse(body);
    asked.push(ProtectionEnabled);
    response.end(JSON.stringify({ protection: { ProtectionEnabled } }));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    metadataRequests,
    uri: `http://127.0.0.1:${port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
