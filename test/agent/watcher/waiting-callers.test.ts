// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { CallerWatcher, type WaitingCallers } from '../../../agent/src/watcher/caller-watcher.js';
import type { UnansweredRoom } from '../../../agent/src/watcher/room-watch.js';
import { ManualClock } from '../../support/manual-clock.js';
import { holdsAsync } from '../../support/properties.js';
import { AGENT, agentOf, SimulatedLiveKit } from './simulated-livekit.js';

/** A line that notes who came into it when. */
class Line implements WaitingCallers {
  readonly cameAt = new Map<string, number>();
  latest: readonly UnansweredRoom[] = [];
  unwanted: (room: string) => boolean = () => false;
  started = false;
  leftAt: number | undefined;
  readonly away = new Set<string>();

  constructor(readonly clock: ManualClock) {}

  get callers(): number {
    return this.cameAt.size;
  }
  turnsAway(room: string): boolean {
    return this.away.has(room);
  }
  start(): void {
    this.started = true;
  }
  step(line: readonly UnansweredRoom[], unwanted: (room: string) => boolean): void {
    this.latest = line;
    this.unwanted = unwanted;
    for (const { name } of line)
      if (!this.cameAt.has(name)) this.cameAt.set(name, this.clock.now());
  }
  leaveAll(): void {
    this.leftAt = this.clock.now();
  }
  async stop(): Promise<void> {}
}

async function rig(workers = 1, hasRoom = () => false) {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock);
  const watchers = Array.from({ length: workers }, (_, i) => {
    const api = livekit.client();
    const line = new Line(clock);
    const options = {
      ...{ agentName: AGENT, worker: `worker-${i}`, requestsPerSecond: 50 },
      ...{ wallClock: livekit.wallClock, random: () => 0.5, room: () => Number(hasRoom()) },
    };
    const watcher = new CallerWatcher(clock, api, options, {}, { line });
    watcher.start();
    return { watcher, line };
  });
  await clock.pass(3_000);
  const [first] = watchers as [(typeof watchers)[number]];
  return { clock, livekit, watchers, line: first.line };
}

describe('callers who find all lines taken', () => {
  it('come into the line within 1.3 s of joining, which leaves the attendant time for the words', async () => {
    const { clock, livekit, line } = await rig();
    const joinedAt = new Map<string, number>();
    for (let i = 0; i < 12; i++) {
      livekit.join(`${i}`);
      joinedAt.set(`${i}`, clock.now());
      await clock.pass(370);
    }
    await clock.pass(2_000);
    const delays = [...joinedAt].map(([name, at]) => (line.cameAt.get(name) ?? 0) - at);
    expect(Math.min(...delays)).toBeGreaterThan(0);
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_300);
    expect(line.latest[0]).toMatchObject({ name: '0', attended: false });
    expect(line.latest[0]?.waitedMs).toBeGreaterThan(6_000);
  });

  it('are not those to whom a worker with room has not answered yet', async () => {
    const { clock, livekit, line } = await rig(1, () => true);
    livekit.join('slow');
    await clock.pass(2_500);
    expect(line.cameAt.size).toBe(0);
    await clock.pass(2_000);
    expect(line.cameAt.size).toBe(1);
    // The free slot is for the one who waits.
    livekit.join('next');
    await clock.pass(1_300);
    expect(line.cameAt.size).toBe(2);
  });

  it('come into the line as soon as the last slot has gone', async () => {
    let room = true;
    const { clock, livekit, line } = await rig(1, () => room);
    livekit.join('late');
    await clock.pass(1_500);
    expect(line.cameAt.size).toBe(0);
    room = false;
    await clock.pass(250);
    expect(line.cameAt.size).toBe(1);
  });

  it('are not those whose agent is on its way', async () => {
    const { clock, livekit, line } = await rig();
    livekit.slots = 40;
    for (let i = 0; i < 20; i++) {
      livekit.join(`${i}`);
      await clock.pass(130);
    }
    await clock.pass(10_000);
    expect(livekit.answered.length).toBe(20);
    expect([...line.cameAt]).toEqual([]);
  });

  it('are not those whose offer the last free slot takes while nothing has been asked', async () => {
    const { clock, livekit, line } = await rig();
    for (let i = 0; i < 26; i++) {
      const name = `${i}`;
      livekit.join(name);
      const room = livekit.rooms.get(name);
      const job = { id: `AJ_${name}`, room: name, roomSid: room?.sid ?? '' };
      const acceptedMs = 25 * i;
      clock.after(acceptedMs, () => {
        const startedAt = livekit.wallClock();
        room?.dispatches[0]?.jobs.push({ id: job.id, startedAt, identity: agentOf(job.id) });
      });
      clock.after(acceptedMs + 300, () => livekit.agentJoins(job));
      await clock.pass(370);
    }
    await clock.pass(5_000);
    expect(livekit.answered.length).toBe(26);
    expect([...line.cameAt]).toEqual([]);
  });

  it('are those whose agent was lost, when nobody else has come after 3 s', async () => {
    const { clock, livekit, line } = await rig();
    livekit.slots = 1;
    livekit.join('a');
    await clock.pass(30_000);
    expect(line.callers).toBe(0);
    const lostAt = clock.now();
    livekit.leave('a', livekit.agents('a')[0]);
    await clock.pass(6_000);
    const after = (line.cameAt.get('a') ?? 0) - lostAt;
    expect(after).toBeGreaterThanOrEqual(3_000);
    expect(after).toBeLessThan(5_000);
    // Since the agent left, not since the beginning of the call.
    expect(line.latest[0]?.waitedMs).toBeLessThan(7_000);
  });

  it('are told apart from those who hear an attendant already, who is no agent', async () => {
    const { clock, livekit, line } = await rig();
    livekit.join('a');
    const room = livekit.rooms.get('a');
    const joinedAt = livekit.wallClock();
    room?.members.push({ identity: 'waiting-line', kind: 'attendant', joinedAt });
    await clock.pass(3_000);
    expect(line.latest).toMatchObject([{ name: 'a', attended: true }]);
    livekit.slots = 1;
    await clock.pass(2_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['a']);
  });

  it('get no agent while they are told that none will come, and keep nobody else from one', async () => {
    const { clock, livekit, line } = await rig();
    livekit.join('a');
    line.away.add('a');
    await clock.pass(3_000);
    livekit.join('b');
    await clock.pass(3_000);
    livekit.slots = 2;
    await clock.pass(3_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['b']);
    // Nobody has withdrawn the wish for one: it comes when they were not turned away after all.
    line.away.clear();
    await clock.pass(3_000);
    expect(livekit.answered.map(({ room }) => room)).toEqual(['b', 'a']);
  });

  it('are left alone when nobody wants an agent for them any more', async () => {
    const { clock, livekit, line } = await rig();
    livekit.join('a');
    await clock.pass(3_000);
    expect(line.unwanted('a')).toBe(false);
    const room = livekit.rooms.get('a');
    if (room) room.dispatches = [];
    await clock.pass(3_000);
    expect(line.unwanted('a')).toBe(true);
    expect(line.latest).toEqual([]);
  });

  it('are not left alone when their worker ceased to watch for a moment only', async () => {
    const { clock, livekit, line, watchers } = await rig();
    livekit.join('a');
    await clock.pass(5_000);
    livekit.downUntil = clock.now() + 3_000;
    await clock.pass(2_500);
    expect(watchers[0]?.watcher.watching).toBe(false);
    await clock.pass(30_000);
    expect(line.leftAt).toBeUndefined();
  });

  it('are left to another worker six seconds after theirs ceased to watch', async () => {
    const { clock, livekit, line, watchers } = await rig();
    livekit.join('a');
    await clock.pass(5_000);
    livekit.downUntil = Number.POSITIVE_INFINITY;
    const downAt = clock.now();
    let ceased = downAt;
    for (; watchers[0]?.watcher.watching; ceased = clock.now()) await clock.pass(50);
    await clock.pass(30_000);
    // It looks four times a second.
    expect((line.leftAt ?? Number.NaN) - ceased).toBeGreaterThanOrEqual(6_000 - 50);
    expect((line.leftAt ?? Number.NaN) - ceased).toBeLessThanOrEqual(6_250 + 50);
  });

  it('are the next worker’s when the one that watches ends', async () => {
    const { clock, livekit, watchers } = await rig(2);
    const first = watchers.findIndex(({ watcher }) => watcher.watching);
    const [one, other] = first === 0 ? watchers : [...watchers].reverse();
    livekit.join('a');
    await clock.pass(30_000);
    // The one that stands by is ready.
    expect([one?.line.started, other?.line.started]).toEqual([true, true]);
    expect(other?.line.cameAt.size).toBe(0);
    void one?.watcher.stop();
    const stoppedAt = clock.now();
    await clock.pass(5_000);
    expect((other?.line.cameAt.get('a') ?? Number.NaN) - stoppedAt).toBeLessThan(3_000);
  });
});

describe('first come, first served', () => {
  const event = fc.oneof(
    { weight: 3, arbitrary: fc.constant('join' as const) },
    { weight: 2, arbitrary: fc.constant('free' as const) },
    { weight: 1, arbitrary: fc.constant('hang up' as const) },
  );

  it('over all tasks: whoever waits is answered in the order of joining, whatever else happens', async () => {
    await holdsAsync(
      fc.asyncProperty(
        fc.array(fc.tuple(event, fc.integer({ min: 300, max: 4_000 })), { maxLength: 25 }),
        async (events) => {
          const { clock, livekit } = await rig();
          const waiting: string[] = [];
          const order: string[] = [];
          let joined = 0;
          for (const [what, ms] of events) {
            if (what === 'join') {
              waiting.push(`${joined}`);
              livekit.join(`${joined}`);
              joined += 1;
            } else if (what === 'free') livekit.slots += waiting.length > 0 ? 1 : 0;
            else if (livekit.slots === 0 && waiting.length > 1) livekit.leave(waiting.pop() ?? '');
            await clock.pass(ms);
            // A slot that is free for longer is nobody's: the next caller gets it at once.
            if (what === 'free' && waiting.length > 0) {
              await clock.pass(4_000);
              order.push(waiting.shift() ?? '');
            }
          }
          expect(livekit.answered.map(({ room }) => room)).toEqual(order);
        },
      ),
      { numRuns: 25 },
    );
  });
});
