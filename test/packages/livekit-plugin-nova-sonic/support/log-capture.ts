// SPDX-License-Identifier: Apache-2.0
// What an application is told: in the log, or by a promise that is refused.
import { log } from '@livekit/agents';

/** Messages that were logged as warnings while something ran. */
export async function warnings(run: () => unknown): Promise<string[]> {
  const told: string[] = [];
  const logger = log() as unknown as Record<string, (...args: unknown[]) => void>;
  const before = logger.warn as (...args: unknown[]) => void;
  logger.warn = (...args) => told.push(String(args.at(-1)));
  try {
    await run();
  } finally {
    logger.warn = before;
  }
  return told;
}

/** Why a promise was refused. */
export const reason = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    (error: Error) => `${error.name}: ${error.message}`,
  );
