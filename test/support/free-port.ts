// SPDX-License-Identifier: Apache-2.0

import { randomInt } from 'node:crypto';
import getPort, { portNumbers } from 'get-port';

/**
 * A port for another process, which listens seconds later: below those that systems give outgoing connections (from
 * 32768), one of which may have taken it by then.
 */
export function freePort(): Promise<number> {
  const first = randomInt(20_000, 30_000);
  return getPort({ host: '127.0.0.1', port: portNumbers(first, first + 100) });
}

/** The first of two, as for SIP, whose clients listen for TLS on the next one. */
export async function twoFreePorts(): Promise<number> {
  for (;;) {
    const first = await freePort();
    if ((await getPort({ host: '127.0.0.1', port: first + 1 })) === first + 1) return first;
  }
}
