// SPDX-License-Identifier: Apache-2.0

import fc from 'fast-check';

/** FUZZ_SEED replays a failure, whose seed fast-check prints; `npm run fuzz` takes another one each time. */
const SEED = Number(process.env.FUZZ_SEED ?? 21);
/** Inputs of each fuzz test. 100,000 in `npm run fuzz`, which FUZZ_RUNS changes; few beside the other tests. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 300);
/** Mutation tests want no smallest counterexample, for which hundreds of inputs are tried. */
const endOnFailure = process.env.SHRINK === 'no';

/** Fails with the smallest counterexample when the property does not hold. Same seed, same inputs: no run differs. */
export function holds<T>(property: fc.IProperty<T>, options: fc.Parameters<T> = {}): void {
  fc.assert(property, { seed: SEED, endOnFailure, ...options });
}

/** The same for a property whose check awaits something. */
export function holdsAsync<T>(
  property: fc.IAsyncProperty<T>,
  options: fc.Parameters<T> = {},
): Promise<void> {
  return fc.assert(property, { seed: SEED, endOnFailure, ...options });
}

/** Gives each of many inputs to `take`, which fails by throwing. */
export function fuzz<T>(inputs: fc.Arbitrary<T>, take: (input: T) => void): void {
  fc.assert(fc.property(inputs, take), { seed: SEED, numRuns: RUNS });
}
