// SPDX-License-Identifier: Apache-2.0

import { it } from '@jest/globals';

/** Tests that mostly wait: all start with the first one and wait at the same time; each is reported by itself. */
export function concurrently(tests: Record<string, () => Promise<void>>): void {
  let running: Map<string, Promise<void>> | undefined;
  for (const name of Object.keys(tests))
    it(name, async () => {
      running ??= new Map(Object.entries(tests).map(([name, test]) => [name, test()]));
      // A failure is reported when the turn of its test comes.
      for (const test of running.values()) test.catch(() => {});
      await running.get(name);
    });
}
