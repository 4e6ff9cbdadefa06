// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { AudioRecorder } from '../../../agent/src/caller/audio-recorder.js';

const RATE = 1000;
const samples = (length: number, value = 7) => new Int16Array(length).fill(value);

beforeEach(() => {
  jest.useFakeTimers({ now: 10_000 });
});
afterEach(() => {
  jest.useRealTimers();
});

describe('AudioRecorder', () => {
  it('fills gaps with silence, so that recordings of one call line up', () => {
    const recorder = new AudioRecorder(RATE);
    recorder.write(samples(100), 10_000);
    recorder.write(samples(100), 10_500);
    expect(recorder.recording()).toEqual({
      sampleRate: RATE,
      samples: Int16Array.from([...samples(100), ...samples(400, 0), ...samples(100)]),
    });
  });

  it('treats a short gap as jitter', () => {
    const recorder = new AudioRecorder(RATE);
    recorder.write(samples(100), 10_000);
    recorder.write(samples(100), 10_160);
    expect(recorder.recording().samples).toEqual(samples(200));
  });
});
