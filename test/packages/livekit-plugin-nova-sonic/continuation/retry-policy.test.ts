// SPDX-License-Identifier: Apache-2.0
// Long because every rule of retries, lanes and waits has its cases here.
import { describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { RetryPolicy } from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/retry-policy.js';
import { NovaSonicError } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';

initializeLogger({ pretty: false, level: 'silent' });

const OPTIONS = {
  maxAttempts: 8,
  maxOutageMs: 30_000,
  budget: 40,
  baseDelayMs: 500,
  maxDelayMs: 8_000,
};
const error = (
  kind: 'throttled' | 'access_denied' | 'connection' | 'credentials' | 'invalid_request',
) =>
  new NovaSonicError(kind, kind, {
    retryable: kind === 'throttled' || kind === 'connection',
    otherRegion: kind === 'throttled' || kind === 'connection' || kind === 'access_denied',
  });
const policy = (regions: string[], random = 0.5) => new RetryPolicy(regions, OPTIONS, () => random);

describe('RetryPolicy', () => {
  test('one Region waits twice as long each time, with jitter', () => {
    const waits = (random: number) => {
      const p = policy(['a'], random);
      let now = 0;
      return Array.from({ length: 5 }, () => {
        p.connecting(now);
        const decision = p.failed('a', error('throttled'), 0, now);
        const delay = decision.type === 'connect' ? decision.delayMs : -1;
        now += delay;
        return delay;
      });
    };
    expect(waits(0.5)).toEqual([500, 1_000, 2_000, 4_000, 8_000]);
    expect(waits(0)).toEqual([375, 750, 1_500, 3_000, 6_000]);
    expect(waits(1).slice(0, 3)).toEqual([625, 1_250, 2_500]);
  });

  test('the next Region is tried at once, and the first is used again when it has rested', () => {
    const p = policy(['a', 'b']);
    expect(p.pick(0)).toBe('a');
    expect(p.failed('a', error('throttled'), 0, 0)).toEqual({
      type: 'connect',
      lane: 'b',
      delayMs: 0,
    });
    expect(p.pick(100)).toBe('b');
    expect(p.pick(500)).toBe('a');
  });

  test.each([0, 400, 5_000])(
    'each full Region is tried once before any of them again, also when an answer takes %i ms',
    (answerMs) => {
      const regions = ['a', 'b', 'c', 'd', 'e', 'f'];
      const p = policy(regions);
      const tried: string[] = [];
      let lane = p.pick(0);
      for (let now = 0; tried.length < regions.length; now += answerMs) {
        tried.push(lane);
        p.connecting(now);
        const decision = p.failed(lane, error('throttled'), 0, now + answerMs);
        if (decision.type === 'give_up') throw new Error(decision.why);
        lane = decision.lane;
      }
      expect(tried).toEqual(regions);
      // A renewal prefers the first one of the list, whatever failed before.
      expect(p.pick(60_000)).toBe('a');
    },
  );

  test('a stream that served is replaced at once in its own Region', () => {
    const p = policy(['a', 'b']);
    expect(p.failed('a', error('connection'), 5_000, 0)).toEqual({
      type: 'connect',
      lane: 'a',
      delayMs: 0,
    });
  });

  test('no number of full Regions makes it connect more than 7 times in 12 s', () => {
    const p = policy(['a', 'b', 'c', 'd']);
    const connects: number[] = [];
    let now = 0;
    let lane = 'a';
    for (;;) {
      p.connecting(now);
      connects.push(now);
      const decision = p.failed(lane, error('throttled'), 0, now);
      if (decision.type === 'give_up') break;
      now += decision.delayMs;
      lane = decision.lane;
    }
    for (const at of connects) {
      expect(connects.filter((c) => c >= at && c < at + 12_000).length).toBeLessThanOrEqual(7);
    }
    expect(connects).toHaveLength(8);
  });

  test('each of many lanes is tried once, at once', () => {
    const lanes = Array.from({ length: 10 }, (_, index) => `lane${index}`);
    const p = new RetryPolicy(lanes, { ...OPTIONS, maxAttempts: 12 }, () => 0.5);
    const tried: string[] = [];
    let lane = p.pick(0);
    for (;;) {
      p.connecting(0);
      tried.push(lane);
      const decision = p.failed(lane, error('throttled'), 0, 0);
      if (decision.type === 'give_up' || decision.delayMs > 0) break;
      lane = decision.lane;
    }
    expect(tried).toEqual(lanes);
  });

  test('a Region that denies access is not tried again; when all do, the call is given up', () => {
    const p = policy(['a', 'b']);
    expect(p.failed('a', error('access_denied'), 0, 0)).toMatchObject({ lane: 'b', delayMs: 0 });
    expect(p.failed('b', error('connection'), 0, 0)).toMatchObject({ lane: 'b', delayMs: 500 });
    expect(p.failed('b', error('access_denied'), 0, 0)).toMatchObject({ type: 'give_up' });
  });

  test('invalid credentials are invalid in every Region', () => {
    expect(policy(['a', 'b']).failed('a', error('credentials'), 0, 0).type).toBe('give_up');
  });

  test('an invalid request in the middle of a call gets one more chance, at the start none', () => {
    expect(policy(['a']).failed('a', error('invalid_request'), 0, 0).type).toBe('give_up');
    const p = policy(['a']);
    expect(p.failed('a', error('invalid_request'), 5_000, 0).type).toBe('connect');
    expect(p.failed('a', error('invalid_request'), 5_000, 100).type).toBe('give_up');
  });

  test('the budget is the whole session’s, the row ends with a stream that answered', () => {
    const p = new RetryPolicy(['a'], { ...OPTIONS, budget: 10 }, () => 0.5);
    for (let i = 0; i < 9; i += 1) {
      expect(p.failed('a', error('connection'), 1_000, i * 60_000).type).toBe('connect');
      p.opened();
      p.healthy('a');
    }
    expect(p.failed('a', error('connection'), 1_000, 600_000)).toMatchObject({ type: 'give_up' });
  });

  test('a Region that cools down because of other calls is skipped, and used again afterwards', () => {
    const cooldownUntil = (region: string) => (region === 'a' ? 5_000 : undefined);
    const p = new RetryPolicy(['a', 'b'], { ...OPTIONS, cooldownUntil }, () => 0.5);
    expect(p.pick(0)).toBe('b');
    expect(p.pick(4_999)).toBe('b');
    expect(p.pick(5_000)).toBe('a');
  });

  test('when all Regions cool down because of other calls, the one that is ready first is tried without waiting', () => {
    const rests: Record<string, number> = { a: 60_000, b: 30_000 };
    const options = { ...OPTIONS, cooldownUntil: (region: string) => rests[region] };
    const p = new RetryPolicy(['a', 'b'], options, () => 0.5);
    expect(p.pick(0)).toBe('b');
    rests.b = 90_000;
    expect(p.failed('b', error('throttled'), 0, 0)).toEqual({
      type: 'connect',
      lane: 'a',
      delayMs: 0,
    });
    // Only the call's own failures make it wait.
    expect(p.failed('a', error('throttled'), 0, 0)).toEqual({
      type: 'connect',
      lane: 'a',
      delayMs: 500,
    });
  });

  test('a call without a stream for 30 s is given up', () => {
    const p = new RetryPolicy(['a'], { ...OPTIONS, maxAttempts: 100 }, () => 0.5);
    p.failed('a', error('connection'), 0, 0);
    expect(p.failed('a', error('connection'), 0, 31_000)).toMatchObject({ type: 'give_up' });
  });

  test('a call that one full lane has refused pays for no other that may be full, while one is known to have room', () => {
    // All have rested; only d has opened a stream since it was last asked.
    const cooldownUntil = (lane: string) => (lane === 'd' ? undefined : 1_000);
    const p = new RetryPolicy(['a', 'b', 'c', 'd'], { ...OPTIONS, cooldownUntil }, () => 0.5);
    expect(p.pick(2_000)).toBe('a');
    expect(p.failed('a', error('throttled'), 0, 2_000)).toMatchObject({ lane: 'd', delayMs: 0 });
    expect(p.failed('d', error('throttled'), 0, 2_000)).toMatchObject({ lane: 'b', delayMs: 0 });
  });

  test('a call waits when those that have refused it come first again, and asks the others, which were full in other calls, at once', () => {
    // As the agent tells: 5 s after the first failure of a lane, 40 s where it has failed several times.
    const rests: Record<string, number> = { c: 40_000, d: 41_000 };
    const options = { ...OPTIONS, waitWhenFullMs: 60_000 };
    const cooldownUntil = (lane: string) => rests[lane];
    const p = new RetryPolicy(['a', 'b', 'c', 'd'], { ...options, cooldownUntil }, () => 0.5);
    const asked: unknown[] = [];
    let now = 0;
    for (let lane = p.pick(0); asked.length < 6; ) {
      p.connecting(now);
      rests[lane] = Math.max(rests[lane] ?? 0, now + 5_000);
      const decision = p.failed(lane, error('throttled'), 0, now);
      if (decision.type === 'give_up') throw new Error(decision.why);
      asked.push([lane, now, decision.waits]);
      now += decision.delayMs;
      lane = decision.lane;
    }
    expect(asked).toEqual([
      ['a', 0, undefined],
      ['b', 0, 'begins'],
      ['c', 0, 'goes on'],
      ['d', 0, 'goes on'],
      ['a', 500, 'goes on'],
      ['b', 1_500, 'goes on'],
    ]);
  });

  /** Tries without a stream, in ms, until the call is given up. @param kinds what each lane fails with */
  function tries(
    kinds: Record<string, 'throttled' | 'connection'>,
    waitWhenFullMs: number,
    p = new RetryPolicy(Object.keys(kinds), { ...OPTIONS, waitWhenFullMs }, () => 0.5),
  ) {
    const tried: { lane: string; at: number; waits?: string | undefined }[] = [];
    let now = 0;
    let lane = p.pick(0);
    for (;;) {
      p.connecting(now);
      const one: (typeof tried)[number] = { lane, at: now };
      tried.push(one);
      now += 50;
      const decision = p.failed(lane, error(kinds[lane] ?? 'throttled'), 0, now);
      if (decision.type === 'give_up') return { tried, now, why: decision.why };
      one.waits = decision.waits;
      now += decision.delayMs;
      lane = decision.lane;
    }
  }
  const FULL = { a: 'throttled', b: 'throttled', c: 'throttled' } as const;

  test('a stream is asked for as long as lanes are full and somebody waits, every 2 s', () => {
    const { tried, now, why } = tries(FULL, 120_000);
    expect(now).toBeGreaterThan(100_000);
    expect(now).toBeLessThanOrEqual(120_050);
    expect(why).toMatch(/^there was no stream for 1\d\d s$/);
    expect(tried.slice(0, 4).map(({ lane, at }) => [lane, at])).toEqual([
      ['a', 0],
      ['b', 50],
      ['c', 100],
      ['a', 650],
    ]);
    expect(tried.slice(0, 5).map(({ waits }) => waits)).toEqual([
      ...[undefined, undefined, 'begins', 'goes on', 'goes on'],
    ]);
    const later = tried.filter(({ at }) => at > 12_000);
    for (const { at } of later)
      expect(later.filter((c) => c.at >= at && c.at < at + 12_000).length).toBeLessThanOrEqual(7);
    for (const lane of Object.keys(FULL)) {
      const times = tried.filter((one) => one.lane === lane).map(({ at }) => at);
      expect(Math.max(...times.slice(1).map((at, i) => at - (times[i] ?? 0)))).toBeLessThan(7_000);
    }
  });

  test('when nobody waits, each lane is asked once', () => {
    const { tried, now } = tries(FULL, 0);
    expect(tried.map(({ lane }) => lane)).toEqual(['a', 'b', 'c']);
    expect(now).toBe(150);
  });

  test('a stream is not waited for when no lane is full', () => {
    const { tried, why } = tries({ a: 'connection', b: 'connection' }, 120_000);
    expect(why).toBe('8 attempts in a row failed');
    expect(tried).toHaveLength(8);
    expect(tries({ a: 'connection', b: 'throttled' }, 120_000).now).toBeGreaterThan(100_000);
  });

  test('a call that loses its stream waits for the next one as a new call does, and that uses up no attempts', () => {
    const p = new RetryPolicy(
      Object.keys(FULL),
      { ...OPTIONS, waitWhenFullMs: 60_000, budget: 4 },
      () => 0.5,
    );
    // What was full at the beginning is not known to be full later.
    p.failed('a', error('throttled'), 0, 0);
    p.opened();
    p.healthy('b');
    expect(p.failed('b', error('connection'), 60_000, 0)).toEqual({
      type: 'connect',
      lane: 'b',
      delayMs: 0,
    });
    const { now, tried } = tries(FULL, 60_000, p);
    expect(now).toBeGreaterThan(55_000);
    expect(
      tried
        .slice(0, 3)
        .map(({ lane }) => lane)
        .sort(),
    ).toEqual(['a', 'b', 'c']);
    p.opened();
    expect(p.failed('a', error('connection'), 60_000, now)).toMatchObject({ delayMs: 0 });
  });

  test('a lane that opens streams only to throttle them is not waited for', () => {
    const p = new RetryPolicy(['a'], { ...OPTIONS, waitWhenFullMs: 60_000 }, () => 0.5);
    for (let i = 0; i < 7; i += 1) {
      p.opened();
      expect(p.failed('a', error('throttled'), 1_000, i * 9_000).type).toBe('connect');
    }
    p.opened();
    expect(p.failed('a', error('throttled'), 1_000, 63_000)).toMatchObject({
      why: '8 attempts in a row failed',
    });
  });

  test('who has waited for the turn of others first asks each lane', () => {
    const p = new RetryPolicy(['a', 'b'], { ...OPTIONS, waitWhenFullMs: 60_000 }, () => 0.5);
    expect(p.waitLeft(0)).toBe(60_000);
    expect(p.waitLeft(45_000)).toBe(15_000);
    p.connecting(45_000);
    expect(p.failed('a', error('throttled'), 0, 45_000)).toEqual({
      type: 'connect',
      lane: 'b',
      delayMs: 0,
    });
    expect(p.waitLeft(61_000)).toBe(0);
    p.opened();
    expect(p.waitLeft(70_000)).toBe(60_000);
  });

  test('a renewal that fails waits as long as its lane, and not at all where there is another', () => {
    const alone = policy(['a']);
    expect([1, 2].map(() => alone.renewalFailed('a', error('throttled'), 0))).toEqual([500, 1_000]);
    const p = policy(['a', 'b']);
    expect(p.renewalFailed('a', error('throttled'), 0)).toBe(0);
    expect(p.pick(499)).toBe('b');
    expect(p.pick(500)).toBe('a');
    expect(p.renewalFailed('c', error('throttled'), 0)).toBe(OPTIONS.maxDelayMs);
  });

  test.each([
    ['that denies it is not asked again', 'access_denied', ['a', 'b'], 'b'],
    ['that denies it is asked again when there is no other', 'access_denied', ['a'], 'a'],
    ['that fails is asked again', 'connection', ['a', 'b'], 'a'],
    ['whose credentials are invalid is asked again', 'credentials', ['a', 'b'], 'a'],
  ] as const)('for a renewal, a lane %s', (_, kind, lanes, next) => {
    const p = policy([...lanes]);
    p.renewalFailed('a', error(kind), 0);
    expect(p.pick(60_000)).toBe(next);
  });

  test('a stream that lived long makes up for the failures of its lane', () => {
    const p = policy(['a']);
    const delay = (livedMs: number, now: number) => {
      if (livedMs > 0) p.opened();
      const decision = p.failed('a', error('throttled'), livedMs, now);
      return decision.type === 'connect' ? decision.delayMs : undefined;
    };
    expect([delay(0, 0), delay(0, 1_000), delay(60_000, 70_000)]).toEqual([500, 1_000, 500]);
  });
});
