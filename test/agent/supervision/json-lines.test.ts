// SPDX-License-Identifier: Apache-2.0

import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { readJsonLines } from '../../../agent/src/supervision/json-lines.js';

function setUp() {
  const socket = new PassThrough();
  const values: unknown[] = [];
  readJsonLines(socket, (value) => values.push(value));
  return { socket, values };
}

describe('readJsonLines', () => {
  it('reassembles split chunks, also within a character, and separates lines of one chunk', () => {
    const { socket, values } = setUp();
    const bytes = Buffer.from('{"room":"Müller"}\n{"n":1}\n{"n":2}\n');
    for (const byte of bytes.subarray(0, 20)) socket.write(Buffer.from([byte]));
    socket.write(bytes.subarray(20));
    expect(values).toEqual([{ room: 'Müller' }, { n: 1 }, { n: 2 }]);
  });

  it('skips lines that are not JSON and an incomplete last line', () => {
    const { socket, values } = setUp();
    socket.write('{"n":1}\nnonsense\n{"n":2}\n{"n":3');
    expect(values).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
