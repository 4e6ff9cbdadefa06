// SPDX-License-Identifier: Apache-2.0

/** Waits until something holds; fails with its name after a time that is generous also for a machine that starves tests. */
export async function until(
  what: string,
  holds: () => boolean,
  patienceMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + patienceMs;
  while (!holds()) {
    if (Date.now() > deadline) throw new Error(`${what}: not within ${patienceMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
