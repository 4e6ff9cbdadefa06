// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { SeededRandom } from '../../../packages/nova-sonic-emulator/src/random.js';

const draw = <T>(count: number, next: (random: SeededRandom) => T, seed = 1): T[] => {
  const random = new SeededRandom(seed);
  return Array.from({ length: count }, () => next(random));
};

it('is mulberry32: a seed that is told replays a run, also in another version', () => {
  expect(draw(3, (random) => random.next())).toEqual([
    0.6270739405881613, 0.002735721180215478, 0.5274470399599522,
  ]);
  expect(draw(3, (random) => random.next(), 2)).not.toEqual(draw(3, (random) => random.next()));
});

it('draws from all of a range, and from nothing else', () => {
  const between = draw(1_000, (random) => random.between(-2, 3));
  expect(Math.min(...between)).toBeGreaterThanOrEqual(-2);
  expect(Math.max(...between)).toBeLessThan(3);
  expect(new Set(draw(200, (random) => random.whole(1, 4)))).toEqual(new Set([1, 2, 3, 4]));
  expect(new Set(draw(200, (random) => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']));
});

it('makes UUIDs of version 4', () => {
  const ids = draw(200, (random) => random.uuid());
  const form = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
  expect(ids.filter((id) => !form.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(200);
  expect(ids.join('')).toMatch(/f/);
});
