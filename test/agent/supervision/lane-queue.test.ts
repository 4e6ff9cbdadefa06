// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { LaneQueue } from '../../../agent/src/supervision/lane-queue.js';
import { superviseCalls } from './supervisor-rig.js';

describe('LaneQueue', () => {
  it('gives the turn to who called first, and says when it goes to another', () => {
    const queue = new LaneQueue();
    expect(queue.turn).toBeUndefined();
    expect(queue.set('b', 20, true)).toBe(true);
    expect(queue.set('c', 30, true)).toBe(false);
    expect(queue.turn).toBe('b');
    // A call that has lasted for long loses its stream.
    expect(queue.set('a', 10, true)).toBe(true);
    expect(queue.turn).toBe('a');
    expect(queue.set('a', 10, true)).toBe(false);
    expect(queue.set('c', 30, false)).toBe(false);
    expect(queue.set('a', 10, false)).toBe(true);
    expect(queue.set('x', 0, false)).toBe(false);
    expect(queue.turn).toBe('b');
    expect(queue.set('b', 20, false)).toBe(true);
    expect(queue.turn).toBeUndefined();
  });
});

describe('calls of a task that wait for a lane, in several processes', () => {
  async function threeCalls() {
    const rig = superviseCalls();
    const calls = [];
    for (const job of ['a', 'b', 'c']) {
      calls.push(rig.call(job));
      await rig.clock.pass(1_000);
    }
    const [a, b, c] = calls as [(typeof calls)[0], (typeof calls)[0], (typeof calls)[0]];
    // In any order.
    for (const one of [c, b, a]) one.report({ type: 'waits', waits: true });
    const turn = () => {
      const told = new Set([a, b, c].map(({ turns }) => turns.at(-1)));
      expect(told.size).toBe(1);
      return [...told][0];
    };
    return { ...rig, a, b, c, turn };
  }

  it('are served in the order in which they called, and all know whose turn it is', async () => {
    const { a, b, c, turn, connect } = await threeCalls();
    expect(turn()).toBe('a');
    expect(connect().turns).toEqual(['a']);
    a.report({ type: 'waits', waits: false });
    expect(turn()).toBe('b');
    b.report({ type: 'waits', waits: false });
    expect(turn()).toBe('c');
    c.report({ type: 'waits', waits: false });
    expect(turn()).toBeUndefined();
  });

  it('go on without one that ends, or whose process dies', async () => {
    const { a, b, c, turn } = await threeCalls();
    a.report({ type: 'ended', reason: 'participant_disconnected' });
    a.report({ type: 'closed' });
    expect(turn()).toBe('b');
    b.disconnected();
    expect(c.turns.at(-1)).toBe('c');
  });

  it('hear of the room that a call of the task leaves in a full lane', async () => {
    const rig = superviseCalls();
    const [leaving, waiting] = [rig.call('a'), rig.call('b')];
    leaving.report({ type: 'stream', id: 's', lane: 'us-east-1' });
    for (const lane of ['us-east-1', 'us-west-2'])
      waiting.report({ type: 'connect', lane, ok: false, full: true, ms: 50 });
    leaving.report({ type: 'ended', reason: 'participant_disconnected' });
    expect(waiting.received.at(-1)).toEqual({ 'us-east-1': 5_000, 'us-west-2': 5_000 });
    leaving.report({ type: 'closed' });
    expect(waiting.received.at(-1)).toEqual({ 'us-east-1': 0, 'us-west-2': 5_000 });
  });
});
