// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { deprecationWarnings, withDefaults } from '../../agent/src/parse-environment.js';
import type { LiveKitConnection } from '../livekit/connection.js';
import { startLiveKitServer } from '../livekit/server.js';
import { ManagedProcess } from '../process/managed-process.js';
import { buildAgent } from './build-agent.js';
import {
  EMULATOR_CREDENTIALS,
  type EmulatorProcessOptions,
  startEmulatorProcess,
} from './emulator-process.js';

const WORKER_MAIN = fileURLToPath(new URL('../../agent/dist/main.js', import.meta.url));
const WORKER_TIMEOUT_MS = 60_000;
const WORKER_GRACE_MS = 10_000;

export interface DevEnvironmentOptions
  extends Pick<EmulatorProcessOptions, 'otherVoices' | 'heardNoise'> {
  /** `emulator`: the emulator on this machine. `aws`: Amazon Bedrock with this machine's credentials. */
  bedrock: 'emulator' | 'aws';
  /** Scenario file for the emulator. */
  scenario?: string;
  /** File into which the emulator writes the events of every session. */
  record?: string;
  /** Reports progress. */
  onStatus: (line: string) => void;
  /** Receives each line of the worker's log. */
  onWorkerLine?: (line: string) => void;
}

/** What answers the calls: the emulator, or Bedrock in a Region. */
export type BedrockEndpoint =
  | { kind: 'emulator'; url: string; controlUrl: string }
  | { kind: 'aws'; region: string };

/** Everything that a call needs, running on this machine. */
export interface DevEnvironment {
  livekit: LiveKitConnection;
  bedrock: BedrockEndpoint;
  /** Resolves with one sentence when a process ends before `stop`. */
  failed: Promise<string>;
  stop(): Promise<void>;
}

/**
 * Starts LiveKit, the emulator (unless Bedrock itself is used) and the worker. All of them end with this process,
 * however it ends.
 */
export async function startDevEnvironment(options: DevEnvironmentOptions): Promise<DevEnvironment> {
  const { onStatus } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const failures: Promise<string>[] = [];
  const stop = async () => {
    for (const stopPart of stops.splice(0).reverse()) await stopPart();
  };
  const keep = (process: ManagedProcess) => {
    stops.push(() => process.stop());
    failures.push(process.exited.then((code) => `The ${process.name} ended with code ${code}.`));
  };

  try {
    for (const warning of deprecationWarnings(process.env)) onStatus(warning);
    await buildAgent(onStatus);
    const server = await startLiveKitServer({ onStatus });
    stops.push(() => server.stop());
    const livekit = { url: server.url, apiKey: server.apiKey, apiSecret: server.apiSecret };
    let bedrock: BedrockEndpoint = { kind: 'aws', region: awsRegion() };
    if (options.bedrock === 'emulator') {
      const { process, url, controlUrl } = await startEmulatorProcess(options);
      keep(process);
      bedrock = { kind: 'emulator', url, controlUrl };
    }
    keep(await startWorkerProcess(livekit, bedrock, options.onWorkerLine));
    return { livekit, bedrock, failed: Promise.race(failures), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts the worker as production does, configured by its environment alone, and waits until it is registered. */
export async function startWorkerProcess(
  livekit: LiveKitConnection,
  bedrock: BedrockEndpoint,
  onLine?: (line: string) => void,
): Promise<ManagedProcess> {
  const env = withDefaults(
    {
      ...process.env,
      LIVEKIT_URL: livekit.url,
      LIVEKIT_API_KEY: livekit.apiKey,
      LIVEKIT_API_SECRET: livekit.apiSecret,
      HEALTH_PORT: '0',
    },
    {
      // A developer's machine is busy with other things, and there is no second task that could take the call.
      CPU_LOAD_THRESHOLD_PERCENT: '0',
      // Each host takes two seconds of a core to start, which the first call wants.
      CALL_HOSTS: '1',
      // Ctrl-C should not wait for calls to end.
      DRAIN_TIMEOUT_S: '1',
      END_CALL_INSTRUCTIONS: 'off',
    },
  );
  if (bedrock.kind === 'emulator') {
    Object.assign(env, EMULATOR_CREDENTIALS, { AWS_ENDPOINT_URL_BEDROCK_RUNTIME: bedrock.url });
    delete env.AWS_SESSION_TOKEN;
    delete env.AWS_PROFILE;
  }
  const worker = new ManagedProcess('worker', process.execPath, [WORKER_MAIN], {
    env,
    graceMs: WORKER_GRACE_MS,
    ...(onLine && { onLine }),
  });
  await worker.waitForLine((line) => line.includes('"msg":"ready"'), WORKER_TIMEOUT_MS);
  return worker;
}

/** The Region that the worker would use first. */
export function awsRegion(): string {
  return (
    process.env.BEDROCK_REGIONS?.split(',')[0]?.trim() ||
    process.env.AWS_REGION ||
    process.env.AWS_DEFAULT_REGION ||
    'us-east-1'
  );
}
