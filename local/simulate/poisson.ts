// SPDX-License-Identifier: Apache-2.0

/** Above this exp(-mean) comes near the smallest number there is. */
const MAX_POISSON_MEAN = 500;

/** A Poisson-distributed number with this mean (Knuth); of a large one the sum of several. */
export function poisson(mean: number, random: () => number): number {
  if (mean > MAX_POISSON_MEAN)
    return poisson(MAX_POISSON_MEAN, random) + poisson(mean - MAX_POISSON_MEAN, random);
  const limit = Math.exp(-mean);
  let count = 0;
  for (let product = random(); product > limit; product *= random()) count++;
  return count;
}
