// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import type { SupervisorOptions } from '../../../agent/src/supervision/supervisor-options.js';
import { superviseCalls } from './supervisor-rig.js';

describe('CallSupervisor with several calls in a process', () => {
  function setUpShared(options: Partial<SupervisorOptions> = {}) {
    const rig = superviseCalls({ sharedProcesses: () => true, ...options });
    const host = rig.connect();
    const start = (job: string) =>
      host.report({ type: 'call', job, room: job, roomSid: `RM_${job}` });
    return { ...rig, host, start };
  }

  it('keeps their figures apart, and ends each when it is cleaned up', async () => {
    const { clock, ended, host, start, supervisor } = setUpShared();
    start('a');
    await clock.pass(5_000);
    start('b');
    host.report({ type: 'add', job: 'a', metric: 'Turns', value: 2 });
    host.report({ type: 'add', job: 'b', metric: 'Turns', value: 1 });
    host.report({ type: 'stream', job: 'b', id: 's', lane: 'us-west-2' });
    host.report({ type: 'ended', job: 'a', reason: 'participant_disconnected' });
    expect(ended).toEqual([]);
    host.report({ type: 'closed', job: 'a' });
    expect(ended).toEqual([expect.objectContaining({ job: 'a', sums: { Turns: 2 }, lanes: [] })]);
    expect(supervisor.calls).toEqual([
      expect.objectContaining({ job: 'b', sums: { Turns: 1 }, lanes: ['us-west-2'] }),
    ]);
  });

  it('loses all of them, and no other, when the process dies', () => {
    const { call, ended, host, start, sums } = setUpShared();
    const other = call('c');
    start('a');
    start('b');
    host.disconnected();
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([
      ['a', 'crashed'],
      ['b', 'crashed'],
    ]);
    expect(sums()).toMatchObject({ JobCrashes: 2 });
    expect(other.killed).toEqual([]);
  });

  it('ends only the call that is too long, and kills nothing when it does not end', async () => {
    const { host, start, pass, retired } = setUpShared({
      maxCallMs: 60_000,
      endCallTimeoutMs: 10_000,
      killAfterMs: 5_000,
    });
    start('a');
    await pass(40, host);
    start('b');
    await pass(21, host);
    expect(host.commands).toEqual([
      { type: 'end_gracefully', job: 'a', reason: 'max_call_length' },
    ]);
    await pass(17, host);
    expect(host.commands.slice(1)).toEqual([
      { type: 'end_now', job: 'a', reason: 'max_call_length' },
    ]);
    expect(host.killed).toEqual([]);
    expect(retired).toEqual([{ pid: 100, reason: 'did_not_end', memoryMB: 150, job: 'a' }]);
  });

  it('retires a process above its limit of memory, once, and kills it at twice the limit', async () => {
    const { clock, ended, host, start, supervisor, retired } = setUpShared({ memoryLimitMB: 500 });
    start('a');
    for (const rssMB of [499, 501, 900]) {
      host.report({ type: 'alive', rssMB, largest: { job: 'a', grownMB: rssMB - 200 } });
      await clock.pass(1_000);
      supervisor.check();
    }
    expect(retired).toEqual([
      { pid: 100, reason: 'memory_limit', memoryMB: 501, job: 'a', grownMB: 301 },
    ]);
    expect(host.killed).toEqual([]);
    host.report({ type: 'alive', rssMB: 1_001 });
    supervisor.check();
    expect(host.killed).toEqual([100]);
    expect(ended.map(({ endReason, memoryMB }) => [endReason, memoryMB])).toEqual([
      ['memory_limit', 1_001],
    ]);
  });

  it('kills a process that is unresponsive, which ends all its calls with that reason', async () => {
    const { ended, host, start, pass, supervisor } = setUpShared({ unresponsiveTimeoutMs: 5_000 });
    start('a');
    start('b');
    await pass(3, host);
    expect(supervisor.responsive(100, 2_000)).toBe(true);
    // One that has not reported yet.
    expect(supervisor.responsive(101, 2_000)).toBe(true);
    await pass(3);
    expect(supervisor.responsive(100, 2_000)).toBe(false);
    expect(host.killed).toEqual([]);
    await pass(3);
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([
      ['a', 'unresponsive'],
      ['b', 'unresponsive'],
    ]);
  });

  it('counts an idle process that dies as a crash, unless it was asked to exit', () => {
    const { connect, host, start, sums, supervisor } = setUpShared();
    start('a');
    host.report({ type: 'ended', job: 'a', reason: 'closed' });
    host.report({ type: 'closed', job: 'a' });
    supervisor.expectExit(100);
    host.disconnected();
    expect(sums()).not.toHaveProperty('JobCrashes');
    connect().disconnected();
    expect(sums()).toMatchObject({ JobCrashes: 1 });
  });
});
