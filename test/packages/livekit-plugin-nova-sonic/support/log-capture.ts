// SPDX-License-Identifier: Apache-2.0
// What an application gets: warnings in the log, or a rejected promise.
import { log } from '@livekit/agents';

/** Messages that were logged as warnings while something ran. */
export async function warnings(run: () => unknown): Promise<string[]> {
  const logged: string[] = [];
  const logger = log() as unknown as Record<string, (...args: unknown[]) => void>;
  const before = logger.warn as (...args: unknown[]) => void;
  logger.warn = (...args) => logged.push(String(args.at(-1)));
  try {
    await run();
  } finally {
    logger.warn = before;
  }
  return logged;
}

/** Why a promise was refused. */
export const reason = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => `${error.name}: ${error.message}`,
  );
