// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RollingAudioBuffer } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/rolling-buffer.js';
import { holds } from '../../../support/properties.js';

const chunk = (at: number, ms = 20) => ({ pcm: new Uint8Array(2), at, ms });

describe('RollingAudioBuffer', () => {
  test('keeps the newest audio, as much of it as fits, and always the last chunk', () => {
    holds(
      fc.property(
        fc.integer({ min: 0, max: 500 }),
        fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 40 }),
        (maxMs, lengths) => {
          const buffer = new RollingAudioBuffer(maxMs);
          const chunks = lengths.map((ms, i) => chunk(i, ms));
          for (const each of chunks) buffer.push(each);
          let kept = 1;
          const ms = (count: number) => chunks.slice(-count).reduce((sum, c) => sum + c.ms, 0);
          while (kept < chunks.length && ms(kept + 1) <= maxMs) kept += 1;
          expect(buffer.since(-1)).toEqual(chunks.slice(-kept));
          expect(buffer.ms).toBe(ms(kept));
        },
      ),
    );
  });

  test('keeps what fits exactly', () => {
    const buffer = new RollingAudioBuffer(40);
    for (const at of [1, 2, 3]) buffer.push(chunk(at));
    expect(buffer.since(0).map((c) => c.at)).toEqual([2, 3]);
  });

  test('gives what arrived after a moment, in order, as often as it is asked for', () => {
    const buffer = new RollingAudioBuffer(1_000);
    for (const at of [100, 120, 140]) buffer.push(chunk(at));
    const since = (at: number) => buffer.since(at).map((c) => c.at);
    expect(since(99)).toEqual([100, 120, 140]);
    expect(since(100)).toEqual([120, 140]);
    expect(since(100)).toEqual([120, 140]);
    expect(since(140)).toEqual([]);
    buffer.clear();
    expect(since(0)).toEqual([]);
    expect(buffer.ms).toBe(0);
    buffer.push(chunk(200));
    expect(since(-1)).toEqual([200]);
  });
});
