// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import {
  type RenewableStream,
  RenewalPolicy,
} from '../../../../packages/livekit-plugin-nova-sonic/src/continuation/renewal-policy.js';

/** A stream that was opened at 0, on which something was last said or asked at a moment. */
const stream = (lastStimulusAt = 0, expiresAt?: number): RenewableStream => ({
  age: (now) => now,
  lastActivityAt: lastStimulusAt,
  stream: { expiresAt },
});

describe('Renewal', () => {
  test.each<[string, RenewableStream, number]>([
    ['age', stream(300_000), 360_000],
    ['unused', stream(10_000), 280_000],
    ['credentials', stream(0, 160_000), 100_000],
  ])('%s: due at its time and not before', (reason, link, at) => {
    const renewal = new RenewalPolicy(360_000);
    expect(renewal.due(link, at - 1)).toBeUndefined();
    expect(renewal.due(link, at)).toBe(reason);
  });

  test('who asks is the reason, the first of several', () => {
    const renewal = new RenewalPolicy(360_000);
    void renewal.request('tools');
    void renewal.request('context');
    expect(renewal.due(stream(), 1)).toBe('tools');
    renewal.started();
    expect(renewal.due(stream(), 2)).toBeUndefined();
  });

  test('all requests resolve when the call has moved', async () => {
    const renewal = new RenewalPolicy(360_000);
    let moved = 0;
    const count = () => {
      moved += 1;
    };
    const waiting = [renewal.request('a').then(count), renewal.request('b').then(count)];
    await Promise.resolve();
    expect(moved).toBe(0);
    renewal.resolveAll();
    await Promise.all(waiting);
    expect(moved).toBe(2);
  });

  test('a withdrawn request is dropped, other requests stay', async () => {
    const renewal = new RenewalPolicy(360_000);
    const changed = renewal.request('settings changed');
    let moved = false;
    const asked = renewal.request('requested').then(() => {
      moved = true;
    });
    renewal.cancel('settings changed');
    await changed;
    expect(moved).toBe(false);
    expect(renewal.due(stream(), 1)).toBe('requested');
    renewal.started();
    renewal.resolveAll();
    await asked;
    expect(renewal.due(stream(), 1)).toBeUndefined();
  });

  test.each([
    [10_000, 100_000],
    [360_000, 450_000],
    [400_000, 465_000],
    [465_000, 465_000],
    [470_000, 470_000],
  ])('after %i ms it waits for quiet until %i ms', (renewAfterMs, hard) => {
    const renewal = new RenewalPolicy(renewAfterMs);
    expect(renewal.overdue(stream(), hard - 1)).toBe(false);
    expect(renewal.overdue(stream(), hard)).toBe(true);
  });

  // Due at 360 s, overdue at 450 s; unused for 285 s is overdue as well. 8 s later there is no time for one beside it.
  test.each<[string, number, number, boolean, boolean, 'beside' | 'at_once' | undefined]>([
    ['waits for a quiet moment', 449_999, 449_999, false, false, undefined],
    ['is left at once when it is overdue', 450_000, 450_000, false, false, 'at_once'],
    ['is left at once when nobody used it for too long', 285_000, 0, false, false, 'at_once'],
    ['is replaced beside it in silence', 360_000, 360_000, true, false, 'beside'],
    ['waits for a voice that is not reported yet', 449_999, 449_999, true, true, undefined],
    ['is not kept by a voice when it is overdue', 450_000, 450_000, true, true, 'beside'],
    ['is left at once in the last moment', 458_000, 458_000, true, true, 'at_once'],
    [
      'is left at once in the last moment of one that nobody uses',
      293_000,
      0,
      true,
      false,
      'at_once',
    ],
    ['has no last moment before that', 292_999, 0, true, false, 'beside'],
  ])('a stream %s', (_, now, lastActivityAt, quiet, speech, how) => {
    const renewal = new RenewalPolicy(360_000);
    expect(renewal.how(stream(lastActivityAt), now, quiet, speech, false)).toBe(how);
  });

  test.each([
    [450_000, undefined],
    [457_999, undefined],
    [458_000, 'at_once'],
  ])('a stream that is overdue finishes a reply that it has begun: after %i ms', (now, how) => {
    const renewal = new RenewalPolicy(360_000);
    expect(renewal.how(stream(now), now, false, false, true)).toBe(how);
  });

  test('a move leaves no wait behind', () => {
    const renewal = new RenewalPolicy(10_000);
    renewal.moved('age', stream(0, 50_000), stream(0, 50_000), 20_000);
    expect(renewal.due(stream(), 20_000)).toBe('age');
  });

  test('one that failed is not tried again so soon', () => {
    const renewal = new RenewalPolicy(10_000);
    renewal.failed(2_000, 10_000);
    expect(renewal.due(stream(), 11_999)).toBeUndefined();
    expect(renewal.due(stream(), 12_000)).toBe('age');
    renewal.moved('age', stream(), stream(), 12_000);
    expect(renewal.due(stream(), 12_000)).toBe('age');
  });

  test('credentials that stay the same are not exchanged over and over', () => {
    const renewal = new RenewalPolicy(360_000);
    renewal.moved('credentials', stream(0, 50_000), stream(0, 50_000), 1_000);
    expect(renewal.due(stream(0, 50_000), 15_999)).toBeUndefined();
    expect(renewal.due(stream(0, 50_000), 16_000)).toBe('credentials');
    renewal.moved('credentials', stream(0, 50_000), stream(0, 60_000), 16_000);
    expect(renewal.due(stream(0, 60_000), 16_000)).toBe('credentials');
  });
});
