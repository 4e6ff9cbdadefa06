// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { AudioTimeline } from '../../../../packages/livekit-plugin-nova-sonic/src/audio/input-timeline.js';
import { holds } from '../../../support/properties.js';

describe('AudioTimeline', () => {
  test('an offset is when that sample arrived, counted back from the end of its chunk', () => {
    const timeline = new AudioTimeline();
    timeline.wrote(100, 5_000, 5_000);
    // After a gap of 400 ms.
    timeline.wrote(20, 5_420, 5_430);
    timeline.wrote(20, 5_440, 5_450);
    expect([0, 40, 100, 110, 120, 121, 140].map((offset) => timeline.arrival(offset))).toEqual([
      4_900, 4_940, 5_000, 5_410, 5_420, 5_421, 5_440,
    ]);
  });

  test('the service may be a second ahead of what we count, and is not believed beyond that', () => {
    const timeline = new AudioTimeline();
    timeline.wrote(100, 5_000, 5_000);
    expect(timeline.arrival(1_100)).toBe(5_000);
    expect(timeline.arrival(1_101)).toBeUndefined();
    expect(timeline.arrival(-1)).toBeUndefined();
  });

  test('nothing is known before anything was written', () => {
    const timeline = new AudioTimeline();
    expect(timeline.arrival(0)).toBeUndefined();
    expect(timeline.sentAt(0)).toBeUndefined();
  });

  test('when the chunk with a sample was sent', () => {
    const timeline = new AudioTimeline();
    timeline.wrote(20, 1_020, 1_030);
    timeline.wrote(20, 1_040, 1_055);
    expect([1_000, 1_020, 1_021, 1_040].map((at) => timeline.sentAt(at))).toEqual([
      1_030, 1_030, 1_055, 1_055,
    ]);
    expect([0, 20, 21, 40, 1_040].map((offset) => timeline.sent(offset))).toEqual([
      1_030, 1_030, 1_055, 1_055, 1_055,
    ]);
    expect([-1, 1_041].map((offset) => timeline.sent(offset))).toEqual([undefined, undefined]);
  });

  test('every sample arrived within its chunk, whatever gaps there were', () => {
    holds(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 0, max: 500 })), {
          minLength: 1,
          maxLength: 50,
        }),
        (chunks) => {
          const timeline = new AudioTimeline();
          let at = 10_000;
          let end = 0;
          const expected: [number, number][] = [];
          for (const [ms, gap] of chunks) {
            at += ms + gap;
            end += ms;
            timeline.wrote(ms, at, at);
            expected.push([end - ms + 1, at - ms + 1], [end, at]);
          }
          expect(expected.map(([offset]) => [offset, timeline.arrival(offset)])).toEqual(expected);
        },
      ),
    );
  });

  test('a stream of eight minutes stays exact', () => {
    const timeline = new AudioTimeline();
    for (let i = 1; i <= 8 * 60 * 50; i += 1) timeline.wrote(20, i * 20, i * 20 + 3);
    expect(timeline.arrival(479_990)).toBe(479_990);
    expect(timeline.sentAt(479_990)).toBe(480_003);
    // Two minutes of marks are kept at least.
    expect(timeline.arrival(480_000 - 60_000)).toBe(420_000);
  });
});
