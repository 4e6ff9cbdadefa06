// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { EMULATOR_CREDENTIALS } from '../../local/dev/emulator-process.js';
import { imageCommand } from '../../local/dev/image-command.js';
import type { LiveKitConnection } from '../../local/livekit/connection.js';
import { findPython, peerEnvironment, trusting } from '../../local/peers/python.js';
import { ManagedProcess } from '../../local/process/managed-process.js';

/** The name that calls are dispatched to. */
export const AGENT_NAME = 'peers';
/** The default of CALLS_PER_TASK. */
const DEFAULT_CALLS = 10;
const START_MS = 120_000;
const AGENT = fileURLToPath(new URL('../../agent', import.meta.url));
const PYTHON_WORKER = fileURLToPath(new URL('worker.py', import.meta.url));
const PYTHON_PACKAGES = [
  'livekit-plugins-aws[realtime]==1.8.9',
  'livekit-agents==1.8.9',
  'aws-sdk-bedrock-runtime==0.12.0',
];

export type WorkerKind = 'python' | 'ours';

/** Where a worker finds LiveKit and the endpoint. */
export interface Surroundings {
  livekit: LiveKitConnection;
  /** The endpoint in clear text, and with TLS, which Python's client insists on. */
  url: string;
  tlsUrl: string;
  certFile: string;
  /** Calls that it must be able to take. */
  calls: number;
}

/** Starts a worker with the defaults that it has in production, and waits until LiveKit knows it. */
export async function startWorker(
  kind: WorkerKind,
  { livekit, url, tlsUrl, certFile, calls }: Surroundings,
): Promise<ManagedProcess> {
  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const env = {
    ...inherited,
    ...EMULATOR_CREDENTIALS,
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
  };
  const worker =
    kind === 'ours'
      ? new ManagedProcess('our worker', process.execPath, imageCommand().slice(1), {
          cwd: AGENT,
          env: {
            ...env,
            LIVEKIT_AGENT_NAME: AGENT_NAME,
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME: url,
            BEDROCK_REGIONS: 'us-east-1',
            CPU_LOAD_THRESHOLD_PERCENT: '0',
            CALLS_PER_TASK: String(Math.max(DEFAULT_CALLS, calls)),
            HEALTH_PORT: '0',
          },
          graceMs: 5_000,
        })
      : await pythonWorker({ ...env, BEDROCK_ENDPOINT: tlsUrl }, certFile);
  await worker.waitForLine((line) => /registered worker|"msg":"ready"/.test(line), START_MS);
  return worker;
}

/** @throws Error with one sentence when this machine has no Python that the plugin runs on */
async function pythonWorker(env: NodeJS.ProcessEnv, certFile: string): Promise<ManagedProcess> {
  const found = await findPython();
  if (!found) throw new Error('There is no Python 3.12 or newer: install python3.12 with venv.');
  const python = await peerEnvironment(found, 'livekit-plugins-aws-1.8.9', PYTHON_PACKAGES);
  const [command, ...before] = trusting(certFile);
  const args = [...before, python, PYTHON_WORKER, 'start'];
  return new ManagedProcess('the Python worker', command, args, { env, graceMs: 5_000 });
}
