// SPDX-License-Identifier: Apache-2.0

/** First step between two numbers of calls. */
const STEP = 4;

/**
 * The most calls that are carried, where more calls are never easier: up in steps, then by halves between the last that
 * went well and the first that did not.
 * @returns 0 when not even one call is carried
 */
export async function mostCalls(carries: (calls: number) => Promise<boolean>): Promise<number> {
  let good = 0;
  let bad = STEP;
  while (await carries(bad)) [good, bad] = [bad, bad + STEP];
  while (bad - good > 1) {
    const middle = Math.floor((good + bad) / 2);
    if (await carries(middle)) good = middle;
    else bad = middle;
  }
  return good;
}
