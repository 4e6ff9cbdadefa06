// SPDX-License-Identifier: Apache-2.0

import { InvalidArgumentError } from 'commander';
import pc from 'picocolors';

/** Tells the user what is going on, apart from what a command prints as its result. */
export function say(line: string): void {
  process.stderr.write(`${pc.dim(line)}\n`);
}

/** A port as an option of a command. */
export function portOption(value: string): number {
  const port = Number(value);
  if (value.trim() === '' || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new InvalidArgumentError('Give a number from 1 to 65535, or 0 for any free one.');
  return port;
}

/**
 * Runs a command: its errors are one sentence, and Ctrl-C (or SIGTERM) reaches it as a promise, so that it can
 * clean up. A second Ctrl-C ends it at once.
 */
export async function run(
  command: (interrupted: Promise<undefined>) => Promise<number | undefined>,
): Promise<never> {
  let signals = 0;
  const interrupted = new Promise<undefined>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (signals++ > 0) process.exit(130);
        say('stopping');
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
