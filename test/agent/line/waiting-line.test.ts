// SPDX-License-Identifier: Apache-2.0
// Long because each rule of the line has a test here, and one property that holds for all of them.

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import type {
  AttendantOutcome,
  AttendantTask,
} from '../../../agent/src/line/attendant-messages.js';
import {
  type LineAttendants,
  type LineRooms,
  WaitingLine,
} from '../../../agent/src/line/waiting-line.js';
import type { UnansweredRoom } from '../../../agent/src/watcher/room-watch.js';
import { ManualClock, settle } from '../../support/manual-clock.js';
import { holdsAsync } from '../../support/properties.js';

/** Records what the line asks for. */
class Attendants implements LineAttendants {
  onReport: LineAttendants['onReport'] = () => {};
  running = false;
  readonly tasks: AttendantTask[] = [];
  readonly here = new Set<string>();
  readonly left: string[] = [];

  start(): void {
    this.running = true;
  }
  stop(): void {
    this.running = false;
  }
  attend(task: AttendantTask): void {
    this.tasks.push(task);
    this.here.add(task.room);
  }
  leave(room: string): void {
    this.left.push(room);
    this.end(room, 'left');
  }
  end(room: string, outcome: AttendantOutcome): void {
    if (this.here.delete(room)) this.onReport({ type: 'ended', room, outcome });
  }
}

/** Whoever waited still does when LiveKit is asked again. */
const STAYS = async () => true;

function rig(limit: number, rooms: Partial<LineRooms> = {}) {
  const clock = new ManualClock();
  const attendants = new Attendants();
  const done: string[] = [];
  const spoke: string[] = [];
  const failures: string[] = [];
  const ended: [room: string, outcome: AttendantOutcome, waitedMs: number][] = [];
  const line = new WaitingLine(
    clock,
    limit,
    attendants,
    {
      access: async (room) => ({ url: 'ws://livekit', token: `token-${room}` }),
      withdraw: async (room) => void done.push(`withdraw ${room}`),
      disconnect: async ({ name }) => void done.push(`disconnect ${name}`),
      ...rooms,
    },
    {
      onEnded: ({ name }, outcome, waitedMs) => ended.push([name, outcome, waitedMs]),
      onFailure: (error) => failures.push((error as Error).message),
      onSpeaking: ({ name }, ms) => spoke.push(`${name} after ${ms} ms`),
    },
  );
  /** Rooms that have got an agent since the line was made up. */
  const answered = new Set<string>();
  const step = async (...names: string[]) => {
    line.step(
      names.map((name) => room(name)),
      () => false,
      async (name) => !answered.has(name),
    );
    await settle();
  };
  const parts = () => attendants.tasks.map(({ room, part }) => `${room} ${part}`);
  return { clock, attendants, done, spoke, failures, ended, line, answered, step, parts };
}

const room = (name: string, more: Partial<UnansweredRoom> = {}): UnansweredRoom => ({
  ...{ name, sid: `RM_${name}`, callers: [`caller-${name}`], joinedAt: 0, since: 0 },
  terms: { agentName: '', metadata: '', deployment: '', restartPolicy: 0 },
  ...{ spent: [], waitedMs: 700, attended: false },
  ...more,
});

describe('the waiting line', () => {
  it('sends one attendant to each room, those who came first first', async () => {
    const { step, parts, line, attendants } = rig(5);
    await step('a', 'b');
    await step('a', 'b', 'c');
    expect(parts()).toEqual(['a wait', 'b wait', 'c wait']);
    expect(attendants.tasks[0]).toMatchObject({ speak: true, url: 'ws://livekit' });
    expect(line.callers).toBe(3);
  });

  it('turns those away who come when as many wait as may: no agent is sent, and they are disconnected', async () => {
    const { step, parts, done, line, attendants } = rig(2);
    await step('a', 'b', 'c');
    expect(parts()).toEqual(['a wait', 'b wait', 'c turn_away']);
    expect(['a', 'b', 'c'].map((name) => line.turnsAway(name))).toEqual([false, false, true]);
    expect(line.callers).toBe(2);
    attendants.end('c', 'turned_away');
    expect(line.turnsAway('c')).toBe(true);
    await settle();
    expect(done).toEqual(['withdraw c', 'disconnect c']);
    expect(line.turnsAway('c')).toBe(false);
  });

  it.each(['answered', 'replaced', 'left', 'gave_up'] as const)(
    'leaves the dispatch of those who are not turned away after all, %s: nobody would be sent to them again',
    async (outcome) => {
      const { step, done, line, attendants } = rig(0);
      await step('a');
      attendants.end('a', outcome);
      await settle();
      expect(done).toEqual([]);
      expect(line.turnsAway('a')).toBe(false);
    },
  );

  it('turns nobody away whose agent has come in that moment: its call would be ended', async () => {
    const { step, parts, done, ended, answered } = rig(1);
    answered.add('b');
    await step('a', 'b');
    expect([parts(), done, ended]).toEqual([['a wait'], [], []]);
    answered.clear();
    await step('a', 'b');
    expect(parts()).toEqual(['a wait', 'b turn_away']);
  });

  it('counts callers, not rooms', async () => {
    const { line, parts } = rig(3);
    const two = (name: string) => room(name, { callers: [`${name}-1`, `${name}-2`] });
    line.step([two('a'), two('b'), room('c')], () => false, STAYS);
    await settle();
    expect(parts().toSorted()).toEqual(['a wait', 'b turn_away', 'c wait']);
    expect(line.callers).toBe(3);
  });

  it('tells those whom it turns away, also when another worker’s attendant is with them', async () => {
    const { line, attendants } = rig(0);
    line.step([room('a', { attended: true })], () => false, STAYS);
    await settle();
    expect(attendants.tasks).toMatchObject([{ part: 'turn_away', speak: true }]);
  });

  it('disconnects nobody who waits, whatever becomes of the attendant', async () => {
    const { step, done, attendants } = rig(3);
    await step('a', 'b');
    attendants.end('a', 'failed');
    attendants.end('b', 'turned_away');
    expect(done).toEqual([]);
  });

  it('goes on when a caller could not be disconnected, and says so', async () => {
    const { step, failures, attendants } = rig(0, {
      disconnect: () => Promise.reject(new Error('unavailable')),
    });
    await step('a');
    attendants.end('a', 'turned_away');
    await settle();
    expect(failures).toEqual(['unavailable']);
  });

  it('needs nobody who listens', async () => {
    const attendants = new Attendants();
    const line = new WaitingLine(new ManualClock(), 0, attendants, {
      access: async () => ({ url: '', token: '' }),
      withdraw: async () => {},
      disconnect: () => Promise.reject(new Error('unavailable')),
    });
    line.step([room('a')], () => false, STAYS);
    await settle();
    attendants.onReport({ type: 'speaking', room: 'a', ms: 1 });
    attendants.end('a', 'turned_away');
    await settle();
    expect(line.callers).toBe(0);
  });

  it('lets those finish who are turned away, although nobody wants an agent there any more', async () => {
    const { step, line, attendants } = rig(1);
    await step('a', 'b');
    line.step([], () => true, STAYS);
    expect(attendants.left).toEqual(['a']);
  });

  it('leaves all when another worker sees to the line', async () => {
    const { step, line, attendants } = rig(1);
    await step('a', 'b');
    line.leaveAll();
    expect(attendants.left).toEqual(['a', 'b']);
  });

  it('tells when the words have begun, and nothing of rooms that it does not know', async () => {
    const { step, spoke, ended, attendants } = rig(1);
    await step('a');
    attendants.onReport({ type: 'speaking', room: 'a', ms: 120 });
    attendants.onReport({ type: 'speaking', room: 'x', ms: 120 });
    attendants.onReport({ type: 'ended', room: 'x', outcome: 'answered' });
    expect([spoke, ended]).toEqual([['a after 120 ms'], []]);
  });

  it('has room again when somebody was answered or hung up', async () => {
    const { step, parts, attendants } = rig(1);
    await step('a');
    attendants.end('a', 'answered');
    await step('b');
    attendants.end('b', 'gave_up');
    await step('c');
    expect(parts()).toEqual(['a wait', 'b wait', 'c wait']);
  });

  it('does not disconnect those who left, or whom an agent answered, while they were turned away', async () => {
    const { step, done, attendants } = rig(1);
    await step('a', 'b', 'c', 'd');
    attendants.end('b', 'gave_up');
    attendants.end('c', 'answered');
    attendants.end('d', 'failed');
    await settle();
    expect(done.filter((what) => what.startsWith('disconnect'))).toEqual(['disconnect d']);
  });

  it('tells how long each waited, since joining', async () => {
    const { step, clock, ended, attendants } = rig(2);
    await clock.pass(7_000);
    await step('a', 'b');
    await clock.pass(5_000);
    attendants.end('a', 'answered');
    await clock.pass(1_000);
    attendants.end('b', 'gave_up');
    expect(ended).toEqual([
      ['a', 'answered', 5_700],
      ['b', 'gave_up', 6_700],
    ]);
  });

  it('does not go back at once to a room that LiveKit’s list still has', async () => {
    const { step, parts, clock, attendants } = rig(2);
    await step('a');
    attendants.end('a', 'answered');
    await step('a');
    expect(parts().length).toBe(1);
    // The agent has left again.
    await clock.pass(3_000);
    await step('a');
    expect(parts().length).toBe(2);
  });

  it('tries again after a failure, and leaves a room to another worker that has taken it', async () => {
    const { step, parts, clock, attendants } = rig(2);
    await step('a', 'b');
    attendants.end('a', 'failed');
    attendants.end('b', 'replaced');
    await clock.pass(3_000);
    await step('a', 'b');
    expect(parts()).toEqual(['a wait', 'b wait', 'a wait']);
    await clock.pass(7_000);
    await step('a', 'b');
    expect(parts().at(-1)).toBe('b wait');
  });

  it('does not repeat the words to those who heard them from another worker’s attendant', async () => {
    const { line, attendants } = rig(2);
    line.step([room('a', { attended: true })], () => false, STAYS);
    await settle();
    expect(attendants.tasks[0]).toMatchObject({ part: 'wait', speak: false });
  });

  it('calls the attendant back when nobody wants an agent there any more', async () => {
    const { step, line, attendants } = rig(2);
    await step('a', 'b');
    line.step([], (name) => name === 'a', STAYS);
    expect(attendants.left).toEqual(['a']);
    expect(line.callers).toBe(1);
  });

  it('goes on when LiveKit does not answer', async () => {
    const { step, parts, failures, done, line, attendants } = rig(1, {
      withdraw: () => Promise.reject(new Error('unavailable')),
    });
    await step('a', 'b');
    expect(parts()).toEqual(['a wait', 'b turn_away']);
    attendants.end('b', 'turned_away');
    await settle();
    expect(failures).toEqual(['unavailable']);
    expect(done).toEqual(['disconnect b']);
    expect([line.callers, line.turnsAway('b')]).toEqual([1, false]);
  });

  it('disconnects those to whom nobody can be sent who tells them', async () => {
    const { step, done, ended } = rig(0, {
      access: () => Promise.reject(new Error('no token')),
    });
    await step('a');
    expect(done).toEqual(['withdraw a', 'disconnect a']);
    expect(ended).toEqual([['a', 'failed', 700]]);
  });

  it('stays until another worker’s attendants have come, when its worker ends', async () => {
    const { line, step, clock, attendants } = rig(2);
    line.start();
    await step('a');
    const stopped = line.stop(3_000);
    await clock.pass(1_000);
    expect(attendants.running).toBe(true);
    attendants.end('a', 'replaced');
    await stopped;
    expect(attendants.running).toBe(false);
  });

  it('stays until the last one has been replaced', async () => {
    const { line, step, clock, attendants } = rig(2);
    line.start();
    await step('a', 'b');
    const stopped = line.stop(3_000);
    attendants.end('a', 'replaced');
    await clock.pass(1_000);
    expect(attendants.running).toBe(true);
    attendants.end('b', 'replaced');
    await stopped;
    expect(attendants.running).toBe(false);
  });

  it('does not stay longer than it may, and not at all without callers', async () => {
    const one = rig(2);
    one.line.start();
    await one.line.stop(3_000);
    expect(one.attendants.running).toBe(false);
    const two = rig(2);
    two.line.start();
    await two.step('a');
    const stopped = two.line.stop(3_000);
    await two.clock.pass(3_000);
    await stopped;
    expect(two.attendants.running).toBe(false);
  });
});

describe('whatever happens', () => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  const outcome = fc.constantFrom<AttendantOutcome>('answered', 'gave_up', 'replaced', 'failed');
  const event = fc.oneof(
    fc.record({ kind: fc.constant('step' as const), line: fc.subarray(names) }),
    fc.record({ kind: fc.constant('end' as const), name: fc.constantFrom(...names), outcome }),
    fc.record({ kind: fc.constant('pass' as const), ms: fc.nat(12_000) }),
  );

  it('no more wait than may, each with one attendant, and nobody is turned away while there is a place', async () => {
    await holdsAsync(
      fc.asyncProperty(fc.integer({ min: 1, max: 4 }), fc.array(event), async (limit, events) => {
        const { clock, attendants, line, step } = rig(limit);
        const waiting = () =>
          [...attendants.here].filter(
            (name) => attendants.tasks.findLast((task) => task.room === name)?.part === 'wait',
          );
        for (const one of events) {
          if (one.kind === 'pass') await clock.pass(one.ms);
          else if (one.kind === 'end') attendants.end(one.name, one.outcome);
          else {
            const before = waiting().length;
            const from = attendants.tasks.length;
            const here = new Set(attendants.here);
            await step(...one.line);
            const added = attendants.tasks.slice(from);
            // In the order of the line, to rooms without one; the first ones wait, as many as may.
            expect(added.map(({ room }) => room)).toEqual(
              one.line.filter((name) => added.some(({ room }) => room === name)),
            );
            expect(added.filter(({ room }) => here.has(room))).toEqual([]);
            const free = limit - before;
            expect(added.map(({ part }) => part)).toEqual(
              added.map((_, i) => (i < free ? 'wait' : 'turn_away')),
            );
          }
          expect(line.callers).toBe(waiting().length);
          expect(line.callers).toBeLessThanOrEqual(limit);
        }
      }),
    );
  });
});
