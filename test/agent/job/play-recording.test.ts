// SPDX-License-Identifier: Apache-2.0
// A room and an audio output that the test plays; time is Jest's.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { Room } from '@livekit/rtc-node';

const rtc = await import('@livekit/rtc-node');

/** Takes what is played until the connection has gone. */
class FakeSource {
  static frames: number[][] = [];
  static closed = 0;
  static gone = false;
  constructor(
    readonly rate: number,
    readonly channels: number,
  ) {}
  async captureFrame({ data }: { data: Int16Array }) {
    if (FakeSource.gone) await new Promise(() => {});
    FakeSource.frames.push([...data]);
  }
  async waitForPlayout() {}
  async close() {
    FakeSource.closed += 1;
  }
}
jest.unstable_mockModule('@livekit/rtc-node', () => ({
  ...rtc,
  AudioSource: FakeSource,
  LocalAudioTrack: { createAudioTrack: (_name: string, source: unknown) => source },
}));
const { playRecording } = await import('../../../agent/src/job/play-recording.js');

const RATE = 8_000;
/** A second and a half frame. */
const samples = Int16Array.from({ length: RATE + 400 }, (_, at) => at);

let subscribed: () => void;
function play(publishTrack?: () => Promise<unknown>) {
  const localParticipant = {
    publishTrack:
      publishTrack ??
      (async () => ({
        waitForSubscription: () => new Promise<void>((resolve) => (subscribed = resolve)),
      })),
  };
  let done = false;
  const playing = playRecording({ localParticipant } as unknown as Room, {
    sampleRate: RATE,
    samples,
  }).finally(() => (done = true));
  return { playing, isDone: () => done };
}
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);

describe('a recording', () => {
  beforeEach(() => {
    jest.useFakeTimers();
    Object.assign(FakeSource, { frames: [], closed: 0, gone: false });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('begins when somebody hears it, and is played whole', async () => {
    const { playing } = play();
    await pass(1_000);
    expect(FakeSource.frames).toEqual([]);
    subscribed();
    await pass(100);
    await playing;
    expect(FakeSource.frames.flat()).toEqual([...samples]);
    expect(FakeSource.closed).toBe(1);
  });

  it('does not wait long for somebody who subscribes to nothing', async () => {
    const { playing } = play();
    await pass(1_300);
    await playing;
    expect(FakeSource.frames.flat()).toHaveLength(samples.length);
  });

  it('is given up when the connection takes no more of it', async () => {
    FakeSource.gone = true;
    const { isDone } = play();
    await pass(0);
    subscribed();
    await pass(100 + 1_050 + 1_999);
    expect(isDone()).toBe(false);
    await pass(1);
    expect(isDone()).toBe(true);
    expect(FakeSource.closed).toBe(1);
  });

  it('leaves nothing open when it cannot be published', async () => {
    const { playing } = play(async () => {
      throw new Error('no permission');
    });
    await expect(playing).rejects.toThrow('no permission');
    expect(FakeSource.closed).toBe(1);
  });

  it('is not played without a participant', async () => {
    await playRecording({} as Room, { sampleRate: RATE, samples });
    expect(FakeSource.closed).toBe(0);
  });
});
