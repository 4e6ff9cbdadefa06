// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';

const DOCKERFILE = new URL('../../agent/Dockerfile', import.meta.url);

/** What the image starts in the folder `agent`: `node`, its options, and the program. */
export function imageCommand(): string[] {
  const command = /^CMD (\[.*\])$/m.exec(readFileSync(DOCKERFILE, 'utf8'))?.[1];
  if (!command) throw new Error('agent/Dockerfile has no CMD that is a list on one line.');
  return JSON.parse(command) as string[];
}
