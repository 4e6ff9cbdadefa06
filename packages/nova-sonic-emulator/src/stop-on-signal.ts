// SPDX-License-Identifier: Apache-2.0

/** npx passes a Ctrl-C on to a process that got it from the terminal already, up to so many milliseconds later. */
const SAME_INTERRUPT_MS = 500;

/** Exits with code 0 after `stop` at the first SIGINT or SIGTERM, and at once at a second one. */
export function stopOnSignal(
  stop: () => Promise<unknown>,
  target: Pick<NodeJS.Process, 'on' | 'exit'> = process,
  now = () => performance.now(),
): void {
  let firstAt: number | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const)
    target.on(signal, () => {
      if (firstAt === undefined) {
        firstAt = now();
        void stop().then(() => target.exit(0));
      } else if (now() - firstAt > SAME_INTERRUPT_MS) {
        target.exit(130);
      }
    });
}
