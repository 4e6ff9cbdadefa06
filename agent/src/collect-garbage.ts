// SPDX-License-Identifier: Apache-2.0

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** The first calls of a worker that has just started come first. */
const COLLECT_AFTER_MS = 10_000;

/**
 * Collects garbage once, soon: loading the program leaves half of the heap empty, and V8 gives that back to the system
 * within a minute of a collection only.
 *
 * @param idle asked when it is time; a process that is busy collects by itself
 */
export function collectGarbageSoon(idle: () => boolean): void {
  setTimeout(() => {
    if (!idle()) return;
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  }, COLLECT_AFTER_MS).unref();
}
