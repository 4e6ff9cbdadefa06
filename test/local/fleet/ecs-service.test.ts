// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { EcsEndpoint } from '../../../local/fleet/ecs-endpoint.js';
import { EcsService } from '../../../local/fleet/ecs-service.js';
import type { WorkerProcess } from '../../../local/fleet/worker-process.js';

const definition = { name: 'worker:1' };

describe('EcsService', () => {
  let end: (exit: { code: number; at: number }) => void;
  let launched: number;
  const kill = jest.fn(async () => end({ code: 137, at: 0 }));

  const startService = () => {
    const endpoint = { addService: () => {}, addTask: () => ({ env: {}, requests: [] }) };
    return new EcsService('agent', endpoint as unknown as EcsEndpoint, () => {
      launched += 1;
      const exited = new Promise((resolve) => {
        end = resolve;
      });
      return { exited, kill, terminate: () => {} } as unknown as WorkerProcess;
    });
  };

  beforeEach(() => {
    jest.useFakeTimers();
    launched = 0;
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('replaces a task whose worker has ended', async () => {
    const service = startService();
    service.scheduler.update({ desired: 1, definition });
    await jest.advanceTimersByTimeAsync(600_000);
    expect(launched).toBe(1);
    end({ code: 1, at: 0 });
    await jest.advanceTimersByTimeAsync(600_000);
    expect(launched).toBe(2);
  });

  it('starts no task after stop(), not even one that was about to start', async () => {
    const service = startService();
    service.scheduler.update({ desired: 1, definition });
    await jest.advanceTimersByTimeAsync(600_000);
    service.scheduler.update({ desired: 2 });
    await service.stop();
    expect(kill).toHaveBeenCalledTimes(1);
    await jest.advanceTimersByTimeAsync(600_000);
    expect(launched).toBe(1);
  });
});
