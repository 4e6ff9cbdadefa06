// SPDX-License-Identifier: Apache-2.0
// Frames of an event stream, as bytes that arrive in any pieces.

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  decode,
  encodeChunk,
  encodeException,
  FrameError,
  FrameReader,
  readChunk,
} from '../../packages/nova-sonic-emulator/src/http2/frames.js';
import { fuzz } from '../support/properties.js';
import { brokenBytes, jsonWith } from './inputs.js';

const json = jsonWith(['event', 'bytes', 'audioInput']).map(
  (value) => JSON.stringify(value) ?? '0',
);
const frame = fc.oneof(
  json.map((text) => encodeChunk(text)),
  fc.constant(encodeException('validationException', { message: 'no' })),
);
/** The bytes in pieces. */
const pieces = (bytes: Uint8Array, cuts: readonly number[]) => {
  const at = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...at].map((from, i) => Buffer.from(bytes.slice(from, at[i] ?? bytes.length)));
};
const cuts = fc.array(fc.nat(), { maxLength: 5 });

describe('frames', () => {
  test('that are whole arrive whole, in whatever pieces', () => {
    fuzz(fc.tuple(fc.array(json, { maxLength: 3 }), cuts), ([texts, at]) => {
      const bytes = Buffer.concat(texts.map(encodeChunk));
      const reader = new FrameReader();
      const read = pieces(bytes, at).flatMap((piece) => [...reader.push(piece)].map(readChunk));
      expect(read).toEqual(texts.map((text) => JSON.parse(text)));
      expect(reader.rest).toBe(0);
    });
  });

  test('that are broken are a FrameError or wait for more, which is bounded', () => {
    const broken = brokenBytes(
      fc.array(frame, { maxLength: 3 }).map((list) => Buffer.concat(list)),
    );
    fuzz(fc.tuple(fc.oneof(broken, fc.uint8Array({ maxLength: 200 })), cuts), ([bytes, at]) => {
      const reader = new FrameReader();
      try {
        for (const piece of pieces(bytes, at))
          for (const message of reader.push(piece)) readChunk(message);
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
      if (reader.rest > 1 << 20) throw new Error(`${reader.rest} bytes are kept`);
    });
  });

  test('of noise inside a right envelope are a FrameError', () => {
    fuzz(brokenBytes(frame), (bytes) => {
      try {
        readChunk(decode(bytes));
      } catch (error) {
        if (!(error instanceof FrameError)) throw error;
      }
    });
  });
});
