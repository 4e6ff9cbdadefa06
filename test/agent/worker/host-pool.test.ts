// SPDX-License-Identifier: Apache-2.0

// Long because calls, hosts and their deaths are tried on one pool.

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { RunningJobInfo } from '@livekit/agents';
import type { HostCommand, HostReport } from '../../../agent/src/host/host-messages.js';
import { RESUMED_JOB } from '../../../agent/src/job/resumed-call.js';
import { replaceFrameworkPool } from '../../../agent/src/worker/framework-pool.js';
import { type HostedJob, HostPool } from '../../../agent/src/worker/host-pool.js';
import { settle } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { installedPool } from './installed-pool.js';

/** A host's process without the process. */
class FakeHost extends EventEmitter {
  readonly commands: HostCommand[] = [];
  killed = false;

  constructor(readonly pid: number) {
    super();
  }

  send(command: HostCommand): void {
    this.commands.push(command);
    if (command.type === 'exit' && this.calls.length === 0) this.emit('exit');
  }

  kill(): void {
    this.killed = true;
    this.emit('exit');
  }

  report(report: HostReport): void {
    this.emit('message', report);
  }

  /** Calls that were started here and have not ended. */
  readonly ended = new Set<string>();
  get calls(): string[] {
    return this.commands.flatMap((command) =>
      command.type === 'start' && !this.ended.has(command.job.job.id) ? [command.job.job.id] : [],
    );
  }

  end(callId: string): void {
    this.ended.add(callId);
    this.report({ type: 'closed', callId });
  }
}

const job = (id: string) =>
  ({ job: { id }, token: 'token', acceptArguments: {} }) as unknown as RunningJobInfo;

let spawned: FakeHost[];
let failures: number[];
let pool: HostPool;

/** Processes that do not react. */
const busy = new Set<number>();

async function newPool(hosts: number, callsPerHost: number): Promise<void> {
  busy.clear();
  spawned = [];
  failures = [];
  pool = new HostPool({
    hosts,
    callsPerHost,
    responsive: (pid) => !busy.has(pid),
    spawn: () => {
      const host = new FakeHost(100 + spawned.length);
      spawned.push(host);
      return host;
    },
    onInitializeFailure: (inARow) => failures.push(inARow),
  });
  await pool.install(async () => true);
  pool.resize();
}

const ready = () => {
  for (const host of spawned) host.report({ type: 'ready' });
};
const host = (index: number) => spawned[index] as FakeHost;

beforeEach(() => newPool(2, 3));

describe('calls', () => {
  test('go to the host with the fewest, up to the limit of each', async () => {
    ready();
    expect(pool.room).toBe(6);
    for (const id of ['a', 'b', 'c', 'd', 'e']) await pool.launch(job(id));
    expect(spawned.map(({ calls }) => calls)).toEqual([
      ['a', 'c', 'e'],
      ['b', 'd'],
    ]);
    expect(pool.room).toBe(1);
  });

  test('may come when the first host is ready', async () => {
    let isReady = false;
    void pool.ready.then(() => {
      isReady = true;
    });
    host(0).kill();
    await settle();
    expect(isReady).toBe(false);
    host(1).report({ type: 'ready' });
    await settle();
    expect(isReady).toBe(true);
  });

  test('that find no room wait for it, in their order', async () => {
    const started: string[] = [];
    for (const id of ['a', 'b', 'c'])
      void pool.launch(job(id)).then(({ runningJob }) => started.push(runningJob?.job.id ?? ''));
    expect(host(0).calls).toEqual([]);
    host(1).report({ type: 'ready' });
    await until('all have started', () => started.length === 3);
    expect(started).toEqual(['a', 'b', 'c']);
    expect(host(1).calls).toEqual(['a', 'b', 'c']);
  });

  test('go to a host that reacts; when none does they wait until one does again', async () => {
    ready();
    busy.add(100);
    for (const id of ['a', 'b']) await pool.launch(job(id));
    expect(host(1).calls).toEqual(['a', 'b']);
    busy.add(101);
    const third = pool.launch(job('c'));
    expect([...host(0).calls, ...host(1).calls]).toEqual(['a', 'b']);
    busy.delete(100);
    // The worker calls it once a second.
    pool.resize();
    await third;
    expect(host(0).calls).toEqual(['c']);
  });

  test('end one by one: close() names the call, join() resolves when the host says that it closed', async () => {
    ready();
    const [a, c] = [await pool.launch(job('a')), await pool.launch(job('c'))];
    let joined = false;
    void a.join().then(() => {
      joined = true;
    });
    void a.close('removed by LiveKit');
    expect(host(0).commands.at(-1)).toEqual({
      type: 'close',
      callId: 'a',
      reason: 'removed by LiveKit',
    });
    await Promise.resolve();
    expect(joined).toBe(false);
    host(0).end('a');
    await a.join();
    expect(a.runningJob).toBeUndefined();
    expect(c.runningJob?.job.id).toBe('c');
  });
});

describe('calls of a host that died', () => {
  /** Ids of the jobs that a host was given as ones that another host had. */
  const resumedOn = (index: number) =>
    host(index).commands.flatMap((command) =>
      command.type === 'start' && command.job.acceptArguments.attributes?.[RESUMED_JOB]
        ? [command.job.job.id]
        : [],
    );

  beforeEach(async () => {
    ready();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await pool.launch(job(id));
  });

  test('go on at once on the others, beyond their limit', async () => {
    host(0).emit('exit');
    for (const id of ['a', 'c', 'e']) expect(pool.resume(id)).toBe(true);
    await until('all go on', () => resumedOn(1).length === 3);
    expect(host(1).calls).toEqual(['b', 'd', 'f', 'a', 'c', 'e']);
    // New calls wait for a host with room.
    void pool.launch(job('g'));
    expect(host(1).calls).toHaveLength(6);
  });

  test('go on also when the supervisor knows of the death before the pool, and end with no host that died', async () => {
    expect(pool.resume('a')).toBe(true);
    await until('it goes on', () => resumedOn(1).includes('a'));
    host(0).emit('exit');
    expect(host(1).calls).toContain('a');
  });

  test('go on before new ones on the host that starts', async () => {
    busy.add(101);
    void pool.launch(job('new'));
    host(0).emit('exit');
    for (const id of ['a', 'c']) pool.resume(id);
    await settle();
    host(2).report({ type: 'ready' });
    await until('all have started', () => host(2).calls.length === 3);
    expect(host(2).calls).toEqual(['a', 'c', 'new']);
  });

  test('that have ended are not started again', () => {
    pool.forget('a');
    expect(pool.resume('a')).toBe(false);
    expect(pool.resume('never')).toBe(false);
  });

  test.each(['before', 'after'])(
    'do not start late on a host when they were given up %s they were ready to go on',
    async (when) => {
      busy.add(101);
      host(0).emit('exit');
      for (const id of ['a', 'c']) pool.resume(id);
      if (when === 'after') await settle();
      pool.forget('a');
      await settle();
      host(2).report({ type: 'ready' });
      await until('the other goes on', () => resumedOn(2).length > 0);
      expect(resumedOn(2)).toEqual(['c']);
    },
  );
});

describe('a host', () => {
  test('that dies takes only its calls, and another starts in its place', async () => {
    ready();
    const jobs: HostedJob[] = [];
    for (const id of ['a', 'b', 'c', 'd']) jobs.push(await pool.launch(job(id)));
    host(0).emit('exit');
    await Promise.all([jobs[0]?.join(), jobs[2]?.join()]);
    expect(jobs.map(({ runningJob }) => runningJob?.job.id)).toEqual([
      undefined,
      'b',
      undefined,
      'd',
    ]);
    await until('another host', () => spawned.length === 3);
    expect(failures).toEqual([]);
  });

  test('that is retired takes no new calls, is replaced at once and exits after its last call', async () => {
    ready();
    for (const id of ['a', 'b']) await pool.launch(job(id));
    pool.retire(100);
    expect(spawned).toHaveLength(3);
    expect(host(0).commands.at(-1)).toEqual({ type: 'exit' });
    host(2).report({ type: 'ready' });
    for (const id of ['c', 'd', 'e', 'f', 'g']) await pool.launch(job(id));
    expect(host(0).calls).toEqual(['a']);
  });

  test('that is unsound is retired', async () => {
    ready();
    await pool.launch(job('a'));
    host(0).report({ type: 'unsound', reason: 'uncaught exception' });
    expect(spawned).toHaveLength(3);
    expect(host(0).calls).toEqual(['a']);
  });
});

describe('a host that does not start', () => {
  beforeEach(async () => {
    jest.useFakeTimers();
    await newPool(1, 3);
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('counts as a failure when it ends, and is started again after a pause', async () => {
    host(0).emit('exit');
    expect(failures).toEqual([1]);
    expect(pool.failures).toBe(1);
    expect(spawned).toHaveLength(1);
    await jest.advanceTimersByTimeAsync(250);
    expect(spawned).toHaveLength(2);
    host(1).report({ type: 'ready' });
    expect(pool.failures).toBe(0);
  });

  test('is tried again after pauses that grow to ten seconds, and at once after one that was ready', async () => {
    const pauses: number[] = [];
    for (let attempt = 0; attempt < 8; attempt += 1) {
      const started = spawned.length;
      host(attempt).emit('exit');
      let pause = 0;
      for (; spawned.length === started && pause < 60_000; pause += 250)
        await jest.advanceTimersByTimeAsync(250);
      pauses.push(pause);
    }
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 5_000, 10_000, 10_000, 10_000]);
    expect(failures).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    host(8).report({ type: 'ready' });
    host(8).emit('exit');
    await jest.advanceTimersByTimeAsync(0);
    expect(spawned).toHaveLength(10);
    expect(failures).toHaveLength(8);
  });

  test('soon after it was ready is started again at once, then after pauses that grow, also when the worker looks after its processes', async () => {
    const pauses: number[] = [];
    const diesAfter = async (ms: number, kill: () => void) => {
      host(spawned.length - 1).report({ type: 'ready' });
      await jest.advanceTimersByTimeAsync(ms);
      const started = spawned.length;
      kill();
      let pause = 0;
      for (; spawned.length === started && pause < 60_000; pause += 250) {
        pool.resize();
        await jest.advanceTimersByTimeAsync(250);
      }
      pauses.push(pause);
    };
    const exits = () => host(spawned.length - 1).emit('exit');
    for (let i = 0; i < 8; i += 1) await diesAfter(100, exits);
    expect(pauses).toEqual([0, 250, 500, 1_000, 2_000, 5_000, 10_000, 10_000]);
    await diesAfter(10_000, exits);
    await diesAfter(100, exits);
    expect(pauses.slice(8)).toEqual([0, 0]);
    // The same, when the supervisor knows of the death before the pool.
    await diesAfter(100, () => {
      void pool.launch(job('a'));
      pool.resume('a');
    });
    expect(pauses.at(-1)).toBe(250);
    expect(failures).toEqual([]);
  });

  test('is no failure when the pool was closed meanwhile, and is not tried again', async () => {
    pool.killInitializing();
    await jest.advanceTimersByTimeAsync(60_000);
    expect([failures, pool.failures, spawned.length]).toEqual([[], 0, 1]);
  });
});

test('a host that is retired before it is ready takes no call when it is', async () => {
  pool.retire(100);
  host(0).report({ type: 'ready' });
  expect(pool.room).toBe(0);
  expect(spawned).toHaveLength(3);
  // Once.
  pool.retire(100);
  expect(spawned).toHaveLength(3);
});

test('the supervisor hears which host was retired, whose exit is no crash then', async () => {
  const retired: number[] = [];
  const one = new FakeHost(7);
  const pool = new HostPool({
    hosts: 1,
    callsPerHost: 1,
    spawn: () => one,
    onRetired: (pid) => retired.push(pid),
    onInitializeFailure: () => {},
  });
  await pool.install(async () => true);
  pool.resize();
  one.report({ type: 'ready' });
  await pool.launch(job('a'));
  pool.retire(8);
  expect(retired).toEqual([]);
  one.report({ type: 'unsound', reason: 'uncaught exception' });
  expect(retired).toEqual([7]);
});

test('with a framework that has another pool no host starts, and the fall-back is counted', async () => {
  const forgotten: string[] = [];
  const fallback = {
    ...{ room: 3, failures: 2, resume: () => true },
    forget: (job: string) => void forgotten.push(job),
  };
  const spawn = () => {
    throw new Error('no host should start');
  };
  const pool = new HostPool({
    hosts: 2,
    callsPerHost: 3,
    spawn,
    fallback,
    onInitializeFailure: () => {},
  });
  const changed = async () => ({ ProcPool: class {} });
  const replace: typeof replaceFrameworkPool = (replacement) =>
    replaceFrameworkPool(replacement, changed);
  expect(await pool.install(replace)).toBe(false);
  pool.resize();
  expect([pool.shared, pool.room, pool.failures]).toEqual([false, 3, 2]);
  expect(pool.resume('a')).toBe(true);
  pool.forget('a');
  expect(forgotten).toEqual(['a']);
});

test('the installed version of the framework has the pool that we replace', async () => {
  expect(await replaceFrameworkPool({}, installedPool)).toBe(true);
});

test('close() kills hosts that are starting, ends the calls of the others, and starts none', async () => {
  host(0).report({ type: 'ready' });
  await pool.launch(job('a'));
  let closed = false;
  const closing = pool.close().then(() => {
    closed = true;
  });
  expect(host(1).killed).toBe(true);
  expect(
    host(0)
      .commands.slice(-2)
      .map(({ type }) => type),
  ).toEqual(['close', 'exit']);
  await Promise.resolve();
  expect(closed).toBe(false);
  host(0).end('a');
  host(0).emit('exit');
  await closing;
  expect(spawned).toHaveLength(2);
  expect(pool.resume('a')).toBe(false);
});
