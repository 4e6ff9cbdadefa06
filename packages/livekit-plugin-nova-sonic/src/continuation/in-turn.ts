// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';

/**
 * Runs `begin` once: when its `turn` comes, at the latest after `maxMs`. A turn that comes later, or after the returned
 * function was called, does nothing.
 */
export function inTurn(
  clock: Clock,
  turn: Promise<void>,
  maxMs: number,
  begin: () => void,
): () => void {
  let waits = true;
  const take = () => {
    if (!waits) return;
    waits = false;
    cancelLast();
    begin();
  };
  const cancelLast = clock.after(maxMs, take);
  void turn.then(take);
  return () => {
    waits = false;
    cancelLast();
  };
}
