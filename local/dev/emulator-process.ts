// SPDX-License-Identifier: Apache-2.0

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '../process/managed-process.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CLI = fileURLToPath(
  new URL('../../packages/nova-sonic-emulator/src/cli.ts', import.meta.url),
);
const TIMEOUT_MS = 30_000;

/** Credentials that the emulator accepts; not a secret, and useless anywhere else. */
export const EMULATOR_CREDENTIALS = {
  AWS_ACCESS_KEY_ID: 'emulator',
  AWS_SECRET_ACCESS_KEY: 'emulator-secret',
};

export interface EmulatorProcessOptions {
  /** Scenario file. Default: the emulator's own dialogue. */
  scenario?: string;
  /** File into which the events of every session are written, as JSON lines. */
  record?: string;
  /** Record the audio itself instead of its length. Default false. */
  recordAudio?: boolean;
  /** Port of the endpoint. Default: a free one. */
  port?: number;
  /** What the voices of people around the caller are to it. Default: heard as the caller's. */
  otherVoices?: 'heard' | 'ignored';
  /** What noise leads to. Default: nothing. */
  heardNoise?: 'silent' | 'false-speech';
  /** Concurrent streams in one Region. Default: as in Bedrock. */
  maxStreams?: number;
  /** Receives the emulator's warnings and errors. */
  onStatus?: (line: string) => void;
}

export interface EmulatorProcess {
  /** Address of the endpoint, for AWS_ENDPOINT_URL_BEDROCK_RUNTIME. */
  url: string;
  /** The same with TLS, and the certificate to trust there. */
  tlsUrl: string;
  certFile: string;
  /** Address of the control API. */
  controlUrl: string;
  process: ManagedProcess;
}

/** Starts the emulator in a process of its own and waits until it is ready. */
export async function startEmulatorProcess(
  options: EmulatorProcessOptions = {},
): Promise<EmulatorProcess> {
  const { scenario, record, recordAudio, port = 0, maxStreams, onStatus } = options;
  const { otherVoices, heardNoise } = options;
  const args = ['--import', 'tsx', CLI, '--port', String(port)];
  // The emulator runs in ROOT, where tsx is found.
  if (scenario) args.push('--scenario', resolve(scenario));
  if (record) args.push('--record', resolve(record));
  if (recordAudio) args.push('--record-audio');
  if (otherVoices) args.push('--other-voices', otherVoices);
  if (heardNoise) args.push('--noise', heardNoise);
  if (maxStreams !== undefined) args.push('--max-streams', String(maxStreams));
  const { NODE_OPTIONS: _, ...env } = process.env;
  const emulator = new ManagedProcess('emulator', process.execPath, args, {
    cwd: ROOT,
    env: { ...env, ...EMULATOR_CREDENTIALS },
    onLine: (line, stream) => stream === 'stderr' && /warn|error/i.test(line) && onStatus?.(line),
  });
  try {
    const ready = await emulator.waitForLine((line) => line.startsWith('ready '), TIMEOUT_MS);
    const control = await emulator.waitForLine((line) => /control/.test(line), TIMEOUT_MS);
    const certificate = await emulator.waitForLine((l) => l.startsWith('certificate '), TIMEOUT_MS);
    const [, url, tlsUrl] = ready.split(' ');
    const controlUrl = /http:\/\/127\.0\.0\.1:\d+/.exec(control)?.[0];
    if (!url || !tlsUrl) throw new Error(`The emulator's ready line has no address: ${ready}`);
    if (!controlUrl) throw new Error(`The emulator's control line has no address: ${control}`);
    const certFile = certificate.split(' ').slice(1).join(' ');
    return { url, tlsUrl, certFile, controlUrl, process: emulator };
  } catch (error) {
    await emulator.stop();
    throw error;
  }
}
