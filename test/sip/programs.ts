// SPDX-License-Identifier: Apache-2.0

import { which } from '../../local/livekit/server.js';
import { findSipService } from '../../local/livekit/sip-service.js';
import { findRedis } from '../support/redis.js';

/** Paths of the programs that a call needs; undefined when one is missing, which is said aloud. */
export async function findPrograms(): Promise<
  { sipService: string; redisServer: string } | undefined
> {
  try {
    if (!which('baresip', process.env))
      throw new Error('there is no baresip: apt-get install baresip-core');
    const redisServer = findRedis();
    if (!redisServer) return undefined;
    const sipService = await findSipService((line) => process.stderr.write(`${line}\n`));
    return { sipService, redisServer };
  } catch (error) {
    process.stderr.write(
      `\n*** SKIPPED, calls with LiveKit SIP: ${(error as Error).message}. ***\n\n`,
    );
    return undefined;
  }
}
