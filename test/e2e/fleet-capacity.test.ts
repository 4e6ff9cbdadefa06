// SPDX-License-Identifier: Apache-2.0

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { failoverDelays, maxConcurrentCalls, metricSums } from '../../local/fleet/analysis.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import {
  askAll,
  connectAll,
  expectGoodCitizens,
  FLEET_PATIENCE_MS,
  SLOTS,
  untilCalls,
} from './fleet-support.js';

/** With 10: 40 calls for 3 workers, of which 30 run, and a quota of 20 streams in each Region. */
const ALL = 4 * SLOTS;
const RUN = 3 * SLOTS;
const QUOTA = 2 * SLOTS;

describe('a fleet that is offered more calls than it has slots', () => {
  let fleet: Fleet;
  let callers: RemoteCaller[];
  const taken = () => callers.filter((caller) => caller.agentPresent);
  const opened = (caller: RemoteCaller) =>
    caller.callEvents.flatMap((message) =>
      message.type === 'stream' && message.event === 'opened' ? [message.region] : [],
    );
  const refused = () => callers.filter((caller) => caller.agentJoinedAt === undefined);

  beforeAll(async () => {
    fleet = await Fleet.start({
      callsPerTask: SLOTS,
      regions: ['us-east-1', 'us-west-2'],
      streamsPerRegion: QUOTA,
      // Whoever is rejected stays so until the test offers the call again.
      env: { WATCHER_REQUESTS_PER_S: '0' },
    });
    await fleet.startWorkers(3);
    callers = await fleet.joinCallers(ALL);
  }, 180_000);
  afterAll(() => fleet?.stop(), 30_000);

  it('accepts exactly as many calls as three workers have slots and rejects the rest', async () => {
    const offers = await Promise.all(callers.map((caller) => fleet.offer(caller)));
    await untilCalls(fleet.workers, RUN);
    await Promise.all(callers.map((caller) => caller.waitForAgent(20_000)));
    expect(taken().length).toBe(RUN);
    const states = await Promise.all(offers.map((offer) => offer.taken()));
    expect(states.filter(Boolean).length).toBe(RUN);
    expect(fleet.workers.map(maxConcurrentCalls)).toEqual([SLOTS, SLOTS, SLOTS]);
  }, 120_000);

  it('uses the second Region for calls beyond the first Region’s stream quota', async () => {
    await Promise.all(
      taken().map((caller) =>
        caller.waitForEvent('stream', (s) => s.event === 'opened', FLEET_PATIENCE_MS),
      ),
    );
    const regions = taken().flatMap(opened);
    const count = (region: string) => regions.filter((other) => other === region).length;
    expect([count('us-east-1'), count('us-west-2')]).toEqual([QUOTA, RUN - QUOTA]);
    // What it cost them is the machine's affair in a burst; the next test has one call at a time.
    expect(failoverDelays(taken()).length).toBeGreaterThan(0);
  }, 120_000);

  it('tries the next Region when one throttles', async () => {
    const next = refused().slice(0, 2);
    // Two streams of the second Region end, so that the first one stays full.
    const second = taken().filter((caller) => opened(caller).includes('us-west-2'));
    await fleet.hangUp(second.slice(0, 2));
    await untilCalls(fleet.workers, RUN - 2);
    // Until it has rested nobody asks the first Region, and nobody loses any time.
    const over = fleet.workers.flatMap((worker) =>
      worker.lines('lane cooldowns changed').map((line) => {
        const { 'us-east-1': rest = 0 } = line.cooldown_ms as Record<string, number>;
        return (line.time ?? 0) + rest;
      }),
    );
    await new Promise((resolve) => setTimeout(resolve, Math.max(...over) - Date.now()));
    for (const caller of next) {
      await connectAll(fleet, [caller]);
      await caller.waitForEvent('stream', (s) => s.event === 'opened', FLEET_PATIENCE_MS);
    }
    const delays = failoverDelays(next);
    // The second of them is not throttled when it is the same task's.
    expect(delays.length).toBeGreaterThan(0);
    process.stderr.write(`added by a Region that throttles, ms: ${delays.join(' ')}\n`);
    for (const caller of next) {
      const streams = caller.callEvents.filter((event) => event.type === 'stream');
      const throttled = streams.findIndex(({ event }) => event === 'throttled');
      if (throttled < 0) continue;
      // That nothing is waited for in between is seen in virtual time, with the policy of retries.
      expect(streams.slice(throttled, throttled + 3)).toEqual([
        expect.objectContaining({ event: 'throttled', region: 'us-east-1' }),
        expect.objectContaining({ event: 'opening', region: 'us-west-2' }),
        expect.objectContaining({ event: 'opened', region: 'us-west-2' }),
      ]);
    }
  }, 120_000);

  it('carries audio in the active calls', async () => {
    await askAll(
      fleet,
      taken().filter((_, i) => i % 5 === 0),
    );
  }, 120_000);

  it('accepts the rejected calls when slots become free', async () => {
    const waiting = refused();
    expect(waiting.length).toBe(ALL - RUN - 2);
    await fleet.hangUp(taken().slice(0, waiting.length));
    await untilCalls(fleet.workers, RUN - waiting.length);
    await connectAll(fleet, waiting);
    await untilCalls(fleet.workers, RUN);
    await askAll(fleet, waiting.slice(0, 2));
  }, 180_000);

  it('emits metrics that match the log', async () => {
    await fleet.hangUp();
    await untilCalls(fleet.workers, 0);
    for (const worker of fleet.workers) worker.signal('SIGTERM');
    for (const worker of fleet.workers) expect((await worker.exited).code).toBe(0);
    const sums = metricSums(fleet.workers);
    const ended = fleet.workers.flatMap((worker) => worker.lines('call ended'));
    const total = (field: string) => ended.reduce((sum, line) => sum + Number(line[field]), 0);
    expect(sums.CallsAccepted).toBe(ALL);
    expect(ended.length).toBe(ALL);
    expect(sums.Turns ?? 0).toBe(total('turns'));
    expect(sums.CallDuration).toBeCloseTo(total('seconds'), -1);
    const throttled = fleet.workers.flatMap((worker) => worker.lines('stream throttled'));
    expect(throttled.length).toBeGreaterThan(0);
    expect(sums['Throttles{lane=us-east-1}']).toBe(throttled.length);
    expect(sums.JobCrashes ?? 0).toBe(0);
    expectGoodCitizens(fleet.workers, SLOTS);
  }, 120_000);
});
