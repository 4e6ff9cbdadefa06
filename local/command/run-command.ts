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

/**
 * Runs a command and exits: errors are printed as one sentence (exit code 2), and the first Ctrl-C (or SIGTERM)
 * resolves `interrupted`, so that the command can clean up. A second one exits at once.
 */
export async function runCommand(
  command: (interrupted: Promise<undefined>) => Promise<number | undefined>,
): Promise<never> {
  let signals = 0;
  const interrupted = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (signals++ > 0) process.exit(130);
        logStatus('stopping');
        resolve(undefined);
      });
  });
  try {
    const code = (await command(interrupted)) ?? 0;
    process.exit(signals > 0 ? 130 : code);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (signals === 0) process.stderr.write(`${pc.red(message)}\n`);
    process.exit(signals > 0 ? 130 : 2);
  }
}
