// SPDX-License-Identifier: Apache-2.0
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';
import wavefile from 'wavefile';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const CACHE = join(ROOT, '.cache', 'peers');
const TRUST_STORE = '/etc/ssl/certs/ca-certificates.crt';

/** A Python 3.12 or newer (the plugin's realtime extra needs it), or undefined. */
export async function findPython(): Promise<string | undefined> {
  const pyenv = join(homedir(), '.pyenv', 'versions');
  const installed = existsSync(pyenv) ? readdirSync(pyenv) : [];
  const versions = installed.map((name) => join(pyenv, name, 'bin/python3'));
  for (const command of ['python3.12', 'python3.13', 'python3', ...versions]) {
    const probe = 'import sys, venv, ensurepip; print(sys.version_info >= (3, 12))';
    const result = await execa(command, ['-c', probe], { reject: false });
    if (result.stdout === 'True') return command;
  }
  return undefined;
}

/** A virtual environment with these packages, made once and kept under .cache/peers; its Python. */
export async function peerEnvironment(
  python: string,
  name: string,
  packages: readonly string[],
): Promise<string> {
  const folder = join(CACHE, name);
  const installed = join(folder, 'installed.txt');
  const wanted = packages.join('\n');
  if (!existsSync(installed) || readFileSync(installed, 'utf8') !== wanted) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(CACHE, { recursive: true });
    await execa(python, ['-m', 'venv', folder]);
    await execa(join(folder, 'bin/pip'), ['install', '--quiet', ...packages]);
    writeFileSync(installed, wanted);
  }
  return join(folder, 'bin/python');
}

/** Why a process cannot get its own trust store here, or undefined. */
export async function cannotTrust(): Promise<string | undefined> {
  if (!existsSync(TRUST_STORE)) return `${TRUST_STORE} does not exist`;
  const result = await execa('unshare', ['-m', 'true'], { reject: false });
  return result.failed ? 'unshare -m is not allowed (it needs root)' : undefined;
}

/** What a script printed, as JSON lines. */
export interface PeerEvent {
  event: string;
  time: number;
  // biome-ignore lint/suspicious/noExplicitAny: each event has its own fields
  [field: string]: any;
}

/**
 * What to put before a command so that it trusts a certificate besides the system's: the Python SDK's TLS library reads
 * the system's store and no environment variable, so the store is replaced in a mount namespace of the process.
 */
export function trusting(certFile: string): [string, ...string[]] {
  const bundle = `${certFile}.bundle`;
  writeFileSync(bundle, `${readFileSync(TRUST_STORE, 'utf8')}\n${readFileSync(certFile, 'utf8')}`);
  return ['unshare', '-m', 'sh', '-c', `mount --bind "$0" ${TRUST_STORE} && exec "$@"`, bundle];
}

/** Runs a script that trusts the emulator's certificate. */
export async function runTrusting(
  python: string,
  script: string,
  args: readonly string[],
  {
    certFile,
    env,
    timeoutMs,
  }: { certFile: string; env: Record<string, string>; timeoutMs: number },
): Promise<{ events: PeerEvent[]; log: string }> {
  const [command, ...before] = trusting(certFile);
  const result = await execa(command, [...before, python, script, ...args], {
    env,
    timeout: timeoutMs,
    reject: false,
  });
  const events = result.stdout
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as PeerEvent);
  if (result.failed) {
    const last = events.map(({ event, text }) => `${event} ${text ?? ''}`).join('\n');
    throw new Error(`${script}: ${result.shortMessage}\n${result.stderr.slice(-6000)}\n${last}`);
  }
  return { events, log: result.stderr };
}

/** Writes mono speech as WAV. */
export function writePeerWav(path: string, samples: Int16Array, sampleRate: number): void {
  const wave = new wavefile.WaveFile();
  wave.fromScratch(1, sampleRate, '16', samples);
  writeFileSync(path, wave.toBuffer());
}
