// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it } from '@jest/globals';
import { WarmPool } from '../../../agent/src/worker/warm-pool.js';

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
  processes: Executor[] = [];
  /** Indices in `processes` of those that were killed. */
  readonly killed: number[] = [];
  booting = 0;
  most = 0;
  readonly alive: { item: Item; end: () => void }[] = [];
  readonly #boots: ((booted: boolean) => void)[] = [];
  #waiting: { n: number; resolve: () => void }[] = [];

  async procWatchTask(unlock: () => void): Promise<void> {
    const index = this.processes.length;
    const proc = { isAlive: true, proc: { kill: () => this.killed.push(index) } };
    this.processes.push(proc);
    const free = await this.initMutex.lock();
    this.booting += 1;
    this.most = Math.max(this.most, this.booting);
    this.#tell();
    const booted = await new Promise<boolean>((resolve) => this.#boots.push(resolve));
    this.booting -= 1;
    free();
    if (!booted) {
      unlock();
      return;
    }
    const item = { proc, unlock };
    await this.warmedProcQueue.put(item);
    await new Promise<void>((end) => this.alive.push({ item, end }));
  }

  /** The process that began first has booted, or failed to. */
  boot(well = true): void {
    this.#boots.shift()?.(well);
  }

  /** Resolves when `n` processes are booting at once. */
  untilBooting(n: number): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ n, resolve });
      this.#tell();
    });
  }

  #tell(): void {
    this.#waiting = this.#waiting.filter(({ n, resolve }) => {
      if (this.booting < n) return true;
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

/** Runs our loop on the stand-in, as `install` makes the framework do. */
function setUp(parallel = 2) {
  const pool = new Pool();
  const state = { wanted: 3, failures: [] as number[] };
  const warm = new WarmPool({
    wanted: () => state.wanted,
    parallel,
    onBootFailure: (inARow) => state.failures.push(inARow),
  });
  void warm.keep(pool, stop.signal);
  return { pool, state, warm };
}

describe('WarmPool', () => {
  it('knows the pool of the framework that is installed', async () => {
    const warm = new WarmPool({ wanted: () => 0, parallel: 1, onBootFailure: () => {} });
    expect(await warm.install()).toBe(true);
  });

  it('boots as many as are wanted, so many at once', async () => {
    const { pool } = setUp(2);
    await pool.untilBooting(2);
    pool.boot();
    pool.boot();
    await settled();
    pool.boot();
    await settled();
    expect(pool.warmedProcQueue.items.length).toBe(3);
    expect(pool.most).toBe(2);
    expect(pool.booting).toBe(0);
  });

  it('boots one when a slot becomes free, and none when a call takes a process', async () => {
    const { pool, state, warm } = setUp(3);
    await pool.untilBooting(3);
    for (let i = 0; i < 3; i++) pool.boot();
    await settled();
    state.wanted = 2;
    pool.warmedProcQueue.items.shift()?.unlock();
    await settled();
    expect(pool.booting).toBe(0);
    state.wanted = 3;
    warm.changed();
    await pool.untilBooting(1);
    expect(pool.booting).toBe(1);
  });

  it('never leaves a dead process to be given to a call', async () => {
    const { pool } = setUp(3);
    await pool.untilBooting(3);
    for (let i = 0; i < 3; i++) pool.boot();
    await settled();
    const [dead] = pool.alive;
    if (!dead) throw new Error('no process');
    dead.item.proc.isAlive = false;
    dead.end();
    await pool.untilBooting(1);
    expect(pool.warmedProcQueue.items).not.toContain(dead.item);
    expect(pool.warmedProcQueue.items.length).toBe(2);
  });

  it('kills those that boot when the worker closes, and neither a warm one nor one with a call', async () => {
    const { pool, warm } = setUp(3);
    await pool.untilBooting(3);
    pool.boot();
    pool.boot();
    await settled();
    const taken = pool.warmedProcQueue.items.shift();
    if (!taken) throw new Error('no process');
    taken.proc.runningJob = {};
    warm.abandonBoots();
    expect(pool.killed).toEqual([2]);
  });

  it('tells of processes that do not boot, and tries again', async () => {
    const { pool, state, warm } = setUp(1);
    await pool.untilBooting(1);
    pool.boot(false);
    await settled();
    await pool.untilBooting(1);
    expect(state.failures).toEqual([1]);
    pool.boot(false);
    await settled();
    await pool.untilBooting(1);
    expect(state.failures).toEqual([1, 2]);
    expect(warm.failures).toBe(2);
    pool.boot();
    await settled();
    expect(warm.failures).toBe(0);
  });
});
