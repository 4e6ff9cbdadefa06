// SPDX-License-Identifier: Apache-2.0

import { PassThrough } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import {
  installPiiRedaction,
  maskPhoneNumbers,
  redactPii,
} from '../../../agent/src/telemetry/redaction.js';

describe('redaction', () => {
  it('removes lk.pii fields at any depth, and leaves the rest', () => {
    const line = JSON.stringify({
      level: 30,
      msg: 'received event',
      'lk.pii.event': { text: 'my number is 555' },
      job: { id: 'AJ_1', 'lk.pii.room_name': 'call-+1555' },
    });
    expect(JSON.parse(redactPii(line))).toEqual({
      level: 30,
      msg: 'received event',
      job: { id: 'AJ_1' },
    });
  });

  it('does not change lines without such fields', () => {
    const text = '{"level":30, "msg":"hello"}\nplain text\n';
    expect(redactPii(text)).toBe(text);
  });

  it('keeps lines separate', () => {
    const text = '{"a":1,"lk.pii.b":2}\n{"c":3}\n';
    expect(redactPii(text)).toBe('{"a":1}\n{"c":3}\n');
  });

  it.each([
    ['call-_+15551234567_a1b2', 'call-_***_a1b2'],
    ['sip 030 1234-5678 / 2', 'sip *** / 2'],
    ['(0)555.123.4567', '(***'],
    ['kitchen', 'kitchen'],
    ['room-123456', 'room-123456'],
    ['1234567', '***'],
  ])('masks phone numbers: %s', (room, shown) => {
    expect(maskPhoneNumbers(room)).toBe(shown);
  });

  it('works on a stream', () => {
    const stream = new PassThrough();
    installPiiRedaction(stream as unknown as NodeJS.WriteStream);
    stream.write('{"lk.pii.text":"secret","n":1}\n');
    expect(String(stream.read())).toBe('{"n":1}\n');
  });
});
