// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import type { RunningJobInfo } from '@livekit/agents';
import { RESUMED_JOB } from '../../../agent/src/job/resumed-call.js';
import { replaceFrameworkPool } from '../../../agent/src/worker/framework-pool.js';
import { WarmPool } from '../../../agent/src/worker/warm-pool.js';
import { installedPool } from './installed-pool.js';

interface Executor {
  isAlive: boolean;
  runningJob?: unknown;
  proc: { kill(signal: string): void };
}

interface Item {
  proc: Executor;
  unlock: () => void;
}

/** The framework's pool, with its processes replaced by promises that a test settles. */
class Pool {
  closed = false;
  initMutex: { lock(): Promise<() => void> } = { lock: async () => () => {} };
  warmedProcQueue = {
    items: [] as Item[],
    async put(item: Item) {
      this.items.push(item);
    },
  };
  executors: Executor[] = [];
  readonly launched: RunningJobInfo[] = [];

  async launchJob(info: RunningJobInfo): Promise<void> {
    this.launched.push(info);
    this.executors.push({ isAlive: true, proc: { kill() {} }, runningJob: info });
  }

  getByJobId(id: string): Executor | null {
    const runs = ({ runningJob }: Executor) => (runningJob as RunningJobInfo)?.job.id === id;
    return this.executors.find(runs) ?? null;
  }
  processes: Executor[] = [];
  /** Indices in `processes` of those that were killed. */
  readonly killed: number[] = [];
  initializing = 0;
  most = 0;
  readonly alive: { item: Item; end: () => void }[] = [];
  readonly #starts: ((succeeded: boolean) => void)[] = [];
  #waiting: { n: number; resolve: () => void }[] = [];

  async procWatchTask(unlock: () => void): Promise<void> {
    const index = this.processes.length;
    const proc = { isAlive: true, proc: { kill: () => this.killed.push(index) } };
    this.processes.push(proc);
    const free = await this.initMutex.lock();
    this.initializing += 1;
    this.most = Math.max(this.most, this.initializing);
    this.#notify();
    const succeeded = await new Promise<boolean>((resolve) => this.#starts.push(resolve));
    this.initializing -= 1;
    free();
    if (!succeeded) {
      unlock();
      return;
    }
    const item = { proc, unlock };
    await this.warmedProcQueue.put(item);
    await new Promise<void>((end) => this.alive.push({ item, end }));
  }

  /** The process that started first has initialized, or failed to. */
  finishStart(succeeded = true): void {
    this.#starts.shift()?.(succeeded);
  }

  /** Resolves when `n` processes are initializing at once. */
  untilInitializing(n: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ n, resolve });
      this.#notify();
    });
  }

  #notify(): void {
    this.#waiting = this.#waiting.filter(({ n, resolve }) => {
      if (this.initializing < n) return true;
      resolve();
      return false;
    });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
let stop = new AbortController();
afterEach(() => {
  stop.abort();
  stop = new AbortController();
});

/** Runs our loop on the fake pool, as `install` makes the framework do. */
function setUp(concurrency = 2, targetSize = 3) {
  const pool = new Pool();
  const state = { targetSize, failures: [] as number[] };
  const warm = new WarmPool({
    warm: () => 0,
    targetSize: () => state.targetSize,
    concurrency,
    onInitializeFailure: (inARow) => state.failures.push(inARow),
  });
  void warm.run(pool, stop.signal);
  return { pool, state, warm };
}

describe('WarmPool', () => {
  it('supports the installed version of the framework', async () => {
    const warm = new WarmPool({
      warm: () => 0,
      targetSize: () => 0,
      concurrency: 1,
      onInitializeFailure: () => {},
    });
    const replace: typeof replaceFrameworkPool = (replacement) =>
      replaceFrameworkPool(replacement, installedPool);
    expect(await warm.install(replace)).toBe(true);
  });

  it('initializes as many as needed, with limited concurrency', async () => {
    const { pool } = setUp(2);
    await pool.untilInitializing(2);
    pool.finishStart();
    pool.finishStart();
    await settled();
    pool.finishStart();
    await settled();
    expect(pool.warmedProcQueue.items.length).toBe(3);
    expect(pool.most).toBe(2);
    expect(pool.initializing).toBe(0);
  });

  it('initializes one when a slot becomes free, and none when a call takes a process', async () => {
    const { pool, state, warm } = setUp(3);
    await pool.untilInitializing(3);
    for (let i = 0; i < 3; i++) pool.finishStart();
    await settled();
    state.targetSize = 2;
    pool.warmedProcQueue.items.shift()?.unlock();
    await settled();
    expect(pool.initializing).toBe(0);
    state.targetSize = 3;
    warm.resize();
    await pool.untilInitializing(1);
    expect(pool.initializing).toBe(1);
  });

  it('initializes none in place of a process whose call has ended: it was counted when it was taken', async () => {
    const { pool, state } = setUp(3);
    await pool.untilInitializing(3);
    for (let i = 0; i < 3; i++) pool.finishStart();
    await settled();
    state.targetSize = 2;
    pool.warmedProcQueue.items.shift()?.unlock();
    await settled();
    pool.alive[0]?.end();
    await settled();
    expect([pool.initializing, pool.warmedProcQueue.items.length]).toEqual([0, 2]);
  });

  it('tries again after pauses that grow to ten seconds', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate'] });
    try {
      const { pool } = setUp(1, 1);
      await pool.untilInitializing(1);
      const pauses: number[] = [];
      for (let attempt = 0; attempt < 7; attempt += 1) {
        const started = pool.processes.length;
        pool.finishStart(false);
        await settled();
        let pause = 0;
        for (; pool.processes.length === started && pause < 60_000; pause += 250) {
          await jest.advanceTimersByTimeAsync(250);
          await settled();
        }
        pauses.push(pause);
      }
      expect(pauses).toEqual([250, 500, 1_000, 2_000, 5_000, 10_000, 10_000]);
    } finally {
      jest.useRealTimers();
    }
  });

  it('never offers a dead process to a call', async () => {
    const { pool } = setUp(3);
    await pool.untilInitializing(3);
    for (let i = 0; i < 3; i++) pool.finishStart();
    await settled();
    const [dead] = pool.alive;
    if (!dead) throw new Error('no process');
    dead.item.proc.isAlive = false;
    dead.end();
    await pool.untilInitializing(1);
    expect(pool.warmedProcQueue.items).not.toContain(dead.item);
    expect(pool.warmedProcQueue.items.length).toBe(2);
  });

  it('kills initializing processes when the worker closes, and neither a warm one nor one with a call', async () => {
    const { pool, warm } = setUp(3);
    await pool.untilInitializing(3);
    pool.finishStart();
    pool.finishStart();
    await settled();
    const taken = pool.warmedProcQueue.items.shift();
    if (!taken) throw new Error('no process');
    taken.proc.runningJob = {};
    warm.killInitializing();
    expect(pool.killed).toEqual([2]);
  });

  it('starts a job again on another process, out of the reach of what LiveKit wants of the dead one', async () => {
    const { pool, warm } = setUp();
    const job = {
      job: { id: 'AJ_1' },
      token: 'token',
      acceptArguments: { identity: 'agent-AJ_1' },
    } as unknown as RunningJobInfo;
    await pool.launchJob(job);
    expect(pool.getByJobId('AJ_1')).not.toBeNull();
    expect(warm.resume('AJ_1')).toBe(true);
    await settled();
    expect(pool.launched.map(({ acceptArguments }) => acceptArguments.attributes)).toEqual([
      undefined,
      { [RESUMED_JOB]: 'true' },
    ]);
    expect(pool.getByJobId('AJ_1')).toBeNull();
    warm.forget('AJ_1');
    expect(warm.resume('AJ_1')).toBe(false);
  });

  it('reports processes that fail to initialize, and tries again', async () => {
    const { pool, state, warm } = setUp(1);
    await pool.untilInitializing(1);
    pool.finishStart(false);
    await settled();
    await pool.untilInitializing(1);
    expect(state.failures).toEqual([1]);
    pool.finishStart(false);
    await settled();
    await pool.untilInitializing(1);
    expect(state.failures).toEqual([1, 2]);
    expect(warm.failures).toBe(2);
    pool.finishStart();
    await settled();
    expect(warm.failures).toBe(0);
  });
});
