// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { type PcmAudio, SILENCE_LEVEL } from '../../../agent/src/caller/pcm.js';
import { holdMusic } from '../../../agent/src/line/hold-music.js';
import { LineProgram } from '../../../agent/src/line/line-program.js';

const RATE = 8_000;
const FRAME_MS = 100;
const LOUD = 12_000;
/** Words that pause for a second in the middle. */
const WORDS: PcmAudio = {
  sampleRate: RATE,
  samples: Int16Array.from({ length: 3 * RATE }, (_, i) =>
    i < RATE || i >= 2 * RATE ? LOUD * Math.sin(i / 2) : 0,
  ),
};
const MUSIC = holdMusic(RATE);
const peak = (frame: Int16Array) => frame.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
const play = (program: LineProgram, ms: number) =>
  Array.from({ length: ms / FRAME_MS }, () => program.next(FRAME_MS));
/** Seconds, to a tenth, in which a word is heard. */
const spoken = (frames: Int16Array[]) =>
  frames.flatMap((frame, i) => (peak(frame) > LOUD / 2 ? [i / 10] : []));

describe('hold music', () => {
  it.each([8_000, 16_000, 48_000])('is soft and never silent, at %d Hz', (rate) => {
    const music = holdMusic(rate);
    const tenth = rate / 10;
    const peaks = Array.from({ length: music.length / tenth }, (_, i) =>
      peak(music.subarray(i * tenth, (i + 1) * tenth)),
    );
    expect(Math.min(...peaks)).toBeGreaterThan(2 * SILENCE_LEVEL);
    expect(Math.max(...peaks)).toBeLessThan(0.1 * 32_768);
  });

  it('goes on at its end without a click', () => {
    const music = holdMusic(RATE);
    const steps = music.map((sample, i) => Math.abs(sample - (music.at(i - 1) ?? 0)));
    expect(steps[0]).toBeLessThanOrEqual(peak(steps.subarray(1)));
  });
});

describe('what callers who wait hear', () => {
  it('is music until the words begin, the words once, then music, and the words again after a minute', () => {
    const program = new LineProgram(WORDS, MUSIC);
    expect(spoken(play(program, 1_000))).toEqual([]);
    program.speak();
    const frames = play(program, 70_000);
    const seconds = spoken(frames);
    expect(seconds.slice(0, 10)).toEqual([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]);
    expect(seconds.filter((at) => at > 3.05 && at < 63)).toEqual([]);
    expect(seconds.find((at) => at > 3.05)).toBeCloseTo(63, 1);
  });

  it('is never silence, also not in a pause of the words', () => {
    const program = new LineProgram(WORDS, MUSIC);
    program.speak();
    expect(Math.min(...play(program, 20_000).map(peak))).toBeGreaterThan(SILENCE_LEVEL);
  });

  it('begins with music for who has heard the words already', () => {
    const program = new LineProgram(WORDS, MUSIC);
    program.resume();
    const seconds = spoken(play(program, 62_000));
    expect(seconds[0]).toBeCloseTo(60, 1);
  });

  it('fades out when the agent speaks, also from the middle of a word', () => {
    const program = new LineProgram(WORDS, MUSIC);
    program.speak();
    play(program, 500);
    const fade = program.fadeOut(150);
    expect(peak(fade)).toBeLessThan(LOUD / 2);
    expect(peak(fade.subarray(-40))).toBeLessThan(SILENCE_LEVEL);
  });
});
