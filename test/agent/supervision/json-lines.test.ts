// SPDX-License-Identifier: Apache-2.0

import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import { lines } from '../../../agent/src/supervision/json-lines.js';

function setUp() {
  const socket = new PassThrough();
  const taken: unknown[] = [];
  lines(socket, (value) => taken.push(value));
  return { socket, taken };
}

describe('lines', () => {
  it('joins what arrives in pieces, also within a letter, and parts what arrives together', () => {
    const { socket, taken } = setUp();
    const bytes = Buffer.from('{"room":"Müller"}\n{"n":1}\n{"n":2}\n');
    for (const byte of bytes.subarray(0, 20)) socket.write(Buffer.from([byte]));
    socket.write(bytes.subarray(20));
    expect(taken).toEqual([{ room: 'Müller' }, { n: 1 }, { n: 2 }]);
  });

  it('passes over what is not JSON, and a last line that was cut', () => {
    const { socket, taken } = setUp();
    socket.write('{"n":1}\nnonsense\n{"n":2}\n{"n":3');
    expect(taken).toEqual([{ n: 1 }, { n: 2 }]);
  });
});
