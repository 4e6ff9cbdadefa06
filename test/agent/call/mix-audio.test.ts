// SPDX-License-Identifier: Apache-2.0

import { ReadableStream } from 'node:stream/web';
import { expect, it } from '@jest/globals';
import { AudioFrame } from '@livekit/rtc-node';
import { FrameMixer, mixAudio } from '../../../agent/src/call/mix-audio.js';

const frame = (...samples: number[]) =>
  new AudioFrame(new Int16Array(samples), 16_000, 1, samples.length);
const samples = (frames: AudioFrame[]) => frames.map(({ data }) => [...data]);

it('adds up what comes from both, within the range of a sample', () => {
  const mixer = new FrameMixer(2);
  expect(mixer.push(0, frame(1, -30_000, 30_000))).toEqual([]);
  expect(samples(mixer.push(1, frame(2, -30_000, 30_000)))).toEqual([[3, -32_768, 32_767]]);
});

it('goes on without a source that sends nothing, until it sends again', () => {
  const mixer = new FrameMixer(2);
  const came = [1, 2, 3, 4, 5].flatMap((value) => samples(mixer.push(0, frame(value))));
  expect(came).toEqual([[1], [2], [3], [4], [5]]);
  expect(mixer.push(1, frame(100))).toEqual([]);
  expect(samples(mixer.push(0, frame(6)))).toEqual([[106]]);
  expect(mixer.push(0, frame(7))).toEqual([]);
});

it('goes on without a source that has ended', () => {
  const mixer = new FrameMixer(2);
  mixer.end(1);
  expect(samples(mixer.push(0, frame(1)))).toEqual([[1]]);
});

it('is a stream that ends with its last source, and whose cancelling cancels all', async () => {
  const cancelled: number[] = [];
  const source = (id: number, frames: AudioFrame[], ends: boolean) =>
    new ReadableStream<AudioFrame>({
      start(controller) {
        for (const one of frames) controller.enqueue(one);
        if (ends) controller.close();
      },
      cancel: () => {
        cancelled.push(id);
      },
    });
  const ended: AudioFrame[] = [];
  for await (const one of mixAudio([
    source(0, [frame(1), frame(2)], true),
    source(1, [frame(10)], true),
  ]))
    ended.push(one);
  expect(samples(ended)).toEqual([[11], [2]]);

  await mixAudio([source(2, [], false), source(3, [], false)]).cancel();
  expect(cancelled.sort()).toEqual([2, 3]);
});
