// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, test } from '@jest/globals';
import { superviseCalls } from './supervisor-rig.js';

let rig: ReturnType<typeof superviseCalls>;

/** One process after the other carries the call. */
const carry = () => rig.call('AJ_1');

beforeEach(() => {
  rig = superviseCalls({ memoryLimitMB: 500, unresponsiveTimeoutMs: 5_000, maxCallMs: 60_000 });
  rig.others.available = true;
});

describe('a call whose process dies', () => {
  test('is handed over with all that was said, and goes on as the same call', async () => {
    const first = carry();
    first.report({ type: 'caller', identity: 'ada' });
    first.report({ type: 'said', item: { id: '1', text: 'I am Ada.' } });
    first.report({ type: 'add', metric: 'Turns', value: 2 });
    await rig.clock.pass(3_000);
    first.disconnected();
    expect(rig.lost).toEqual(['AJ_1 crashed']);
    expect(rig.ended).toEqual([]);

    await rig.clock.pass(400);
    const second = carry();
    expect(rig.resumed).toEqual(['AJ_1 after 400 ms']);
    expect(second.handedOver).toEqual([
      {
        type: 'resume',
        job: 'AJ_1',
        caller: 'ada',
        crashes: 1,
        history: [{ id: '1', text: 'I am Ada.' }],
      },
    ]);
    second.report({ type: 'add', metric: 'Turns', value: 1 });
    second.report({ type: 'ended', reason: 'participant_disconnected' });
    second.disconnected();
    expect(rig.started).toEqual(['AJ_1']);
    expect(rig.ended).toMatchObject([
      { endReason: 'participant_disconnected', crashes: 1, sums: { Turns: 3 } },
    ]);
    expect(rig.sums()).toMatchObject({ JobCrashes: 1, CallsResumed: 1, CallDuration: 3.4 });
  });

  test('goes on also when the worker killed the process, for memory or because it did not react', async () => {
    const first = carry();
    first.report({ type: 'alive', rssMB: 501 });
    rig.supervisor.check();
    expect(rig.lost).toEqual(['AJ_1 memory_limit']);
    carry();
    await rig.pass(6);
    expect(rig.lost).toEqual(['AJ_1 memory_limit', 'AJ_1 unresponsive']);
    expect(rig.ended).toEqual([]);
  });

  test('twice is ended with words by the third one, for the reason of the second death', () => {
    carry().disconnected();
    const second = carry();
    second.report({ type: 'alive', rssMB: 501 });
    rig.supervisor.check();
    const third = carry();
    expect(third.handedOver).toMatchObject([{ type: 'resume', end: 'memory_limit' }]);
    third.report({ type: 'ended', reason: 'memory_limit' });
    third.disconnected();
    expect(rig.ended).toMatchObject([{ endReason: 'memory_limit', crashes: 2 }]);
    expect(rig.ended[0]?.over).toBe(false);
  });

  test('three times is over', () => {
    for (let i = 0; i < 3; i++) carry().disconnected();
    expect(rig.ended).toMatchObject([{ endReason: 'crashed', crashes: 3, over: true }]);
    expect(rig.sums()).toMatchObject({ JobCrashes: 3, CallsResumed: 2 });
  });

  test('while it should end is over', () => {
    const process = carry();
    rig.supervisor.command('end_gracefully', 'task_stopping');
    process.disconnected();
    expect(rig.lost).toEqual([]);
    expect(rig.ended).toMatchObject([{ endReason: 'task_stopping', over: true }]);
  });

  test('ends when there is no other process, and when none takes it up in 15 s: another task may', async () => {
    rig.others.available = false;
    carry().disconnected();
    expect(rig.ended).toMatchObject([{ endReason: 'crashed', over: false }]);
    rig.others.available = true;
    rig.call('AJ_2').disconnected();
    await rig.pass(15);
    expect(rig.ended).toHaveLength(1);
    await rig.pass(1);
    expect(rig.ended).toMatchObject([{ job: 'AJ_1' }, { job: 'AJ_2', over: false }]);
    expect(rig.call('AJ_2').handedOver).toEqual([]);
  });

  test('hears what the worker wanted of it in the meantime', () => {
    carry().disconnected();
    rig.supervisor.command('end_now', 'task_stopping');
    expect(carry().commands).toEqual([{ type: 'end_now', job: 'AJ_1', reason: 'task_stopping' }]);
  });

  test('has no longer than other calls', async () => {
    const first = carry();
    await rig.pass(50, first);
    first.disconnected();
    const second = carry();
    await rig.pass(11, second);
    expect(second.commands).toMatchObject([{ reason: 'max_call_length' }]);
  });
});

test('all calls of a process that dies are lost at once', () => {
  const process = rig.connect();
  for (const job of ['a', 'b']) process.report({ type: 'call', job, room: job, roomSid: job });
  process.disconnected();
  expect(rig.lost).toEqual(['a crashed', 'b crashed']);
  const [a, b] = [rig.call('a'), rig.call('b')];
  expect([a.handedOver.length, b.handedOver.length]).toEqual([1, 1]);
  expect(rig.sums()).toMatchObject({ JobCrashes: 2, CallsResumed: 2 });
});
