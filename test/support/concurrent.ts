// SPDX-License-Identifier: Apache-2.0

import { it } from '@jest/globals';

/** Tests that mostly wait, and so wait at the same time: all begin with the first, and each is told by itself. */
export function together(tests: Record<string, () => Promise<void>>): void {
  let running: Map<string, Promise<void>> | undefined;
  for (const name of Object.keys(tests))
    it(name, async () => {
      running ??= new Map(Object.entries(tests).map(([name, test]) => [name, test()]));
      // One that fails is told when its turn comes.
      for (const test of running.values()) test.catch(() => {});
      await running.get(name);
    });
}
