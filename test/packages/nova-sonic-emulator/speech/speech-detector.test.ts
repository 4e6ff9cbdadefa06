// SPDX-License-Identifier: Apache-2.0
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  type EndpointingTimings,
  SpeechDetector,
  type SpeechEvent,
  type VoiceActivity,
} from '../../../../packages/nova-sonic-emulator/src/speech/speech-detector.js';
import { settle } from '../../../support/manual-clock.js';
import { speechSamples } from '../support/client.js';

const RATE = 16_000;
const TIMINGS: EndpointingTimings = { startMs: 352, pauseMs: 1600 };
const window = (count: number) => Buffer.alloc(count * 1024);

const fail = (error: unknown): void => {
  throw error;
};

/** A detector that asks `predict` of each window, and what it reports. */
function detectorWith(
  predict: VoiceActivity['predict'],
  { rate = RATE, timings = TIMINGS, failed = fail } = {},
) {
  const events: SpeechEvent[] = [];
  const report = (event: SpeechEvent) => events.push(event);
  return { detector: new SpeechDetector(rate, () => timings, report, failed, { predict }), events };
}

/** A detector with given probabilities, one per window. */
function scripted(probabilities: number[], timings = TIMINGS) {
  let i = 0;
  return detectorWith(async () => probabilities[i++] ?? 0, { timings });
}

async function detect(probabilities: number[], timings = TIMINGS): Promise<SpeechEvent[]> {
  const { detector, events } = scripted(probabilities, timings);
  detector.push(window(probabilities.length));
  for (let i = 0; i < 5; i++) await settle();
  return events;
}

const windows = (count: number, probability: number) => Array<number>(count).fill(probability);
const silence = (count: number) => windows(count, 0);
const voice = (count: number) => windows(count, 0.9);

describe('the start of speech', () => {
  it('is reported after 352 ms, with the offset of the first voiced sample', async () => {
    const events = await detect([...silence(10), ...voice(11)]);
    expect(events).toEqual([{ kind: 'start', offsetMs: 320 }]);
    expect(await detect([...silence(10), ...voice(10)])).toEqual([]);
  });

  it('is not reported for a click', async () => {
    expect(await detect([...silence(5), ...voice(3), ...silence(80)])).toEqual([]);
  });

  it('is reported for a short word', async () => {
    const events = await detect([...silence(5), ...voice(5), ...silence(80)]);
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'end']);
  });
});

describe('the end of speech', () => {
  it('is reported after the pause, with the offset of the last voiced sample', async () => {
    const events = await detect([...silence(10), ...voice(20), ...silence(50)]);
    expect(events[1]).toEqual({ kind: 'end', offsetMs: 960, detectedMs: 2560, speechMs: 640 });
    expect(await detect([...silence(10), ...voice(20), ...silence(49)])).toHaveLength(1);
  });

  it('does not come in a pause that is shorter', async () => {
    const events = await detect([...voice(20), ...silence(49), ...voice(20), ...silence(50)]);
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'end']);
    expect(events[1]).toMatchObject({ speechMs: 89 * 32 });
  });

  it.each([
    ['HIGH', 1350, 43],
    ['MEDIUM', 1600, 50],
    ['LOW', 1850, 58],
  ])('comes by the sensitivity: %s after %i ms', async (_, pauseMs, count) => {
    const timings = { ...TIMINGS, pauseMs };
    expect(await detect([...voice(20), ...silence(count)], timings)).toHaveLength(2);
    expect(await detect([...voice(20), ...silence(count - 1)], timings)).toHaveLength(1);
  });

  it('is found for every stretch of speech', async () => {
    const stretch = [...voice(20), ...silence(60)];
    const events = await detect([...stretch, ...stretch]);
    expect(events.map(({ kind, offsetMs }) => [kind, offsetMs])).toEqual([
      ['start', 0],
      ['end', 640],
      ['start', 2560],
      ['end', 3200],
    ]);
  });
});

it('a fading voice is still speech', async () => {
  expect(await detect([...voice(12), ...windows(60, 0.4)])).toHaveLength(1);
  expect(await detect([...voice(12), ...windows(60, 0.3)])).toHaveLength(2);
});

describe('audio of any rate and length', () => {
  it.each([8000, 16_000, 24_000])('%i Hz is counted in the same milliseconds', async (rate) => {
    const { detector } = detectorWith(async () => 0, { rate });
    for (let ms = 0; ms < 3200; ms += 20) detector.push(Buffer.alloc((rate / 50) * 2));
    for (let i = 0; i < 5; i++) await settle();
    expect(detector.offsetMs).toBeGreaterThanOrEqual(3200 - 32);
    expect(detector.offsetMs).toBeLessThanOrEqual(3200);
  });
});

describe('the windows that the detector gets', () => {
  /** What it gets of samples at a rate, in pieces of some bytes. */
  async function heard(rate: number, samples: Int16Array, bytes = samples.byteLength) {
    const got: number[] = [];
    const predict = async (window: Int16Array) => {
      got.push(...window);
      return 0;
    };
    const { detector } = detectorWith(predict, { rate });
    const pcm = Buffer.from(samples.buffer);
    for (let at = 0; at < pcm.length; at += bytes) detector.push(pcm.subarray(at, at + bytes));
    for (let i = 0; i < 5; i++) await settle();
    return got;
  }
  const ramp = (length: number, step: number) => Int16Array.from({ length }, (_, i) => i * step);

  it('hold each sample of 16 kHz once, in whatever pieces they come', async () => {
    const samples = ramp(1_024, 3);
    expect(await heard(RATE, samples)).toEqual([...samples]);
    expect(await heard(RATE, samples, 222)).toEqual([...samples]);
  });

  it.each([
    [8_000, 20, 10],
    [24_000, 20, 30],
  ])('follow a voice at %i Hz', async (rate, step, expected) => {
    for (const bytes of [6_000, 100]) {
      const got = await heard(rate, ramp(1_500, step), bytes);
      expect(got.length).toBeGreaterThanOrEqual(512);
      const steps = got.slice(4).map((sample, i) => sample - (got[i + 3] as number));
      // Linear interpolation of a line is a line.
      expect(new Set(steps)).toEqual(new Set([expected]));
    }
  });

  it('come one after the other, however slow the detector is', async () => {
    let running = 0;
    let most = 0;
    let finish = () => {};
    const predict = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((done) => (finish = done));
      running -= 1;
      return 0;
    };
    const { detector } = detectorWith(predict);
    for (let i = 0; i < 4; i++) {
      detector.push(window(1));
      await settle();
    }
    for (let i = 0; i < 4; i++) {
      finish();
      await settle();
    }
    expect([most, detector.offsetMs]).toEqual([1, 4 * 32]);
  });
});

it('reports the error of a detector that fails', async () => {
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  const { detector } = detectorWith(() => Promise.reject(new Error('no model')), { failed });
  detector.push(window(1));
  await settle();
  expect(failures).toEqual([new Error('no model')]);
});

describe('with the real detector', () => {
  let speech: Int16Array;
  beforeAll(async () => {
    speech = await speechSamples('What time is it in Tokyo?');
  });

  const listen = async (parts: Int16Array[]): Promise<SpeechEvent[]> => {
    const events: SpeechEvent[] = [];
    const done = new Promise<void>((resolve, reject) => {
      const detector = new SpeechDetector(
        RATE,
        () => TIMINGS,
        (event) => {
          events.push(event);
          if (event.kind === 'end') resolve();
        },
        reject,
      );
      for (const part of parts) {
        detector.push(Buffer.from(part.buffer, part.byteOffset, part.byteLength));
      }
    });
    await done;
    return events;
  };

  it('finds a spoken sentence to within a few windows', async () => {
    const [start, end] = await listen([new Int16Array(RATE), speech, new Int16Array(RATE * 2)]);
    expect(start?.offsetMs).toBeGreaterThan(900);
    expect(start?.offsetMs).toBeLessThan(1250);
    const spokenMs = (speech.length / RATE) * 1000;
    expect(end?.offsetMs).toBeGreaterThan(1000 + spokenMs - 500);
    expect(end?.offsetMs).toBeLessThan(1000 + spokenMs + 150);
  });

  it('does not take noise and tones for speech', async () => {
    let seed = 1;
    const noise = Int16Array.from({ length: RATE * 2 }, () => {
      seed = (seed * 16_807) % 2_147_483_647;
      return ((seed / 2_147_483_647) * 2 - 1) * 800;
    });
    const tone = Int16Array.from({ length: RATE }, (_, i) => 6000 * Math.sin((i / RATE) * 2765));
    const events = await listen([noise, tone, speech, new Int16Array(RATE * 2)]);
    expect(events.map(({ kind }) => kind)).toEqual(['start', 'end']);
    expect(events[0]?.offsetMs).toBeGreaterThan(2900);
  });
});

describe('noise', () => {
  /** What is taken for speech among loud (or quiet) windows that are no voice. */
  async function noises(levels: readonly number[], probability = 0) {
    const found: [offsetMs: number, durationMs: number][] = [];
    const detector = new SpeechDetector(
      RATE,
      () => TIMINGS,
      () => {},
      fail,
      { predict: async () => probability },
      (offsetMs, durationMs) => found.push([offsetMs, durationMs]),
    );
    for (const level of levels) {
      const pcm = Int16Array.from({ length: 512 }, (_, i) => (i % 2 ? level : -level));
      detector.push(Buffer.from(pcm.buffer));
    }
    for (let i = 0; i < 5; i++) await settle();
    return found;
  }

  it('is reported once, and again only after as much quiet', async () => {
    const loud = windows(30, 2000);
    expect(await noises([...silence(5), ...loud])).toEqual([[160, 480]]);
    expect(await noises([...loud, ...silence(5), ...loud])).toHaveLength(1);
    expect(await noises([...loud, ...silence(15), ...loud])).toHaveLength(2);
  });

  it('is neither a voice nor a quiet hum', async () => {
    expect(await noises(windows(30, 2000), 0.9)).toEqual([]);
    expect(await noises(windows(30, 100))).toEqual([]);
  });
});
