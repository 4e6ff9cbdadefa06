// SPDX-License-Identifier: Apache-2.0
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { collectGarbageSoon } from '../../agent/src/collect-garbage.js';

describe('collectGarbageSoon', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  /** Whether an object that nothing holds is gone a while after the call. */
  async function isCollected(idle: boolean): Promise<boolean> {
    const unused = new WeakRef({ size: 1 });
    const asked = jest.fn(() => idle);
    collectGarbageSoon(asked);
    expect(asked).not.toHaveBeenCalled();
    // A WeakRef holds its object until the end of the job that made it.
    await jest.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveBeenCalledTimes(1);
    return unused.deref() === undefined;
  }

  it('collects once when the process is idle', async () => {
    expect(await isCollected(true)).toBe(true);
  });

  it('leaves a busy process alone', async () => {
    expect(await isCollected(false)).toBe(false);
  });
});
