// SPDX-License-Identifier: Apache-2.0

import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** Calls `onValue` with each JSON line that arrives; lines that are not JSON are skipped. */
export function readJsonLines(input: Readable, onValue: (value: unknown) => void): void {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  input.on('data', (chunk: Buffer) => {
    const parts = (rest + decoder.write(chunk)).split('\n');
    // A line that was cut by the writer's death stays here and is dropped.
    rest = parts.pop() ?? '';
    for (const part of parts) {
      let value: unknown;
      try {
        value = JSON.parse(part);
      } catch {
        continue;
      }
      onValue(value);
    }
  });
}
