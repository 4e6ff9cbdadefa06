// SPDX-License-Identifier: Apache-2.0

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { EmulatorEvent } from 'nova-sonic-emulator';

/** When each session of an emulator's record received its first audio; ms since the epoch. */
export async function firstAudioTimes(record: string): Promise<number[]> {
  const times = new Map<string, number>();
  for await (const line of createInterface({ input: createReadStream(record) })) {
    const { name, session, time } = JSON.parse(line) as EmulatorEvent;
    if (name === 'audioInput' && !times.has(session)) times.set(session, time);
  }
  return [...times.values()];
}
