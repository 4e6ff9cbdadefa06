// SPDX-License-Identifier: Apache-2.0

import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { InvalidArgumentError } from 'commander';
import pc from 'picocolors';

/** Scripts of package.json under their old names, which still work. */
const RENAMED_SCRIPTS = new Map([
  ['converse', 'call'],
  ['talk', 'playground'],
]);

/** Reports progress on standard error, apart from the result that a command prints on standard output. */
export function logStatus(line: string): void {
  process.stderr.write(`${pc.dim(line)}\n`);
}

/** Parses a port given as an option. */
export function parsePort(value: string): number {
  const port = Number(value);
  if (value.trim() === '' || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('Give a number from 1 to 65535, or 0 for any free one.');
  return port;
}

/** Whether a module was started as a program rather than imported. */
export function isEntryPoint(moduleUrl: string): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(moduleUrl);
}

/**
 * Prints one line that names the new script when this process was started by an old one.
 * @param script Default: the script that npm runs.
 */
export function warnRenamedScript(script = process.env.npm_lifecycle_event): void {
  const renamed = script && RENAMED_SCRIPTS.get(script);
  if (renamed) logStatus(`\`npm run ${script}\` is now \`npm run ${renamed}\``);
}

/** npm and tsx pass a Ctrl-C on to a process that got it from the terminal already, up to so much later. */
const SAME_INTERRUPT_MS = 500;

/**
 * Resolves at the first Ctrl-C, SIGTERM or SIGHUP; a second one exits at once.
 * @param now milliseconds of any clock that never runs backwards
 */
export function untilInterrupted(
  target: Pick<NodeJS.Process, 'on' | 'exit'> = process,
  now = () => performance.now(),
): Promise<undefined> {
  return new Promise((resolve) => {
    let firstAt: number | undefined;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      target.on(signal, () => {
        if (firstAt !== undefined && now() - firstAt > SAME_INTERRUPT_MS) target.exit(130);
        if (firstAt !== undefined) return;
        firstAt = now();
        logStatus('stopping');
        resolve(undefined);
      });
  });
}

/**
 * Runs a command and exits: errors are printed as one sentence (exit code 2), and the first Ctrl-C (or SIGTERM)
 * resolves `interrupted`, so that the command can clean up. A second one exits at once.
 */
export async function runCommand(
  command: (interrupted: Promise<undefined>) => Promise<number | undefined>,
): Promise<never> {
  let stopped = false;
  const interrupted = untilInterrupted();
  void interrupted.then(() => {
    stopped = true;
  });
  try {
    const code = (await command(interrupted)) ?? 0;
    process.exit(stopped ? 130 : code);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (!stopped) process.stderr.write(`${pc.red(message)}\n`);
    process.exit(stopped ? 130 : 2);
  }
}
