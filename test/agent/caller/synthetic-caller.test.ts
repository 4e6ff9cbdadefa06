// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { CallEvent } from '../../../agent/src/call/call-events.js';
import type { Caller } from '../../../agent/src/caller/caller.js';
import { questionAudio } from '../../../agent/src/caller/question-audio.js';
import { SyntheticCaller } from '../../../agent/src/caller/synthetic-caller.js';

/** A caller without a network; `sound` and `ready` are what it would hear. */
class FakeCaller extends EventEmitter {
  audible = false;
  lastSound = 0;
  spoken: Int16Array[] = [];
  hungUp = false;
  joined: unknown[] = [];
  joinError: Error | undefined;

  async join(...args: unknown[]): Promise<void> {
    this.joined = args;
    if (this.joinError) throw this.joinError;
  }
  async speak({ samples }: { samples: Int16Array }): Promise<number> {
    this.spoken.push(samples);
    return Date.now();
  }
  async hangUp(): Promise<void> {
    this.hungUp = true;
  }
  ready(greets: boolean): void {
    this.emit('callEvent', { type: 'ready', greets } as CallEvent);
  }
  sound(audible: boolean): void {
    this.audible = audible;
    this.lastSound = Date.now();
    this.emit('sound', audible, Date.now());
  }
}

let caller: FakeCaller;
const livekit = { url: 'ws://127.0.0.1:1', apiKey: 'k', apiSecret: 's' };
const make = () =>
  new SyntheticCaller(caller as unknown as Caller).make({
    ...{ livekit, room: 'synthetic-1', agentName: 'support', patienceMs: 15_000 },
  });
const elapse = (ms: number) => jest.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  jest.useFakeTimers();
  caller = new FakeCaller();
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

describe('a synthetic call', () => {
  it('waits for the greeting to end, asks, and measures the reply', async () => {
    const result = make();
    await elapse(2_000);
    caller.ready(true);
    await elapse(500);
    caller.sound(true);
    await elapse(3_000);
    caller.sound(false);
    await elapse(1_000);
    expect(caller.spoken).toHaveLength(0);
    await elapse(700);
    expect(caller.spoken).toEqual([questionAudio(48_000).samples]);
    await elapse(900);
    caller.sound(true);
    await elapse(100);
    const { failure, replyMs } = await result;
    expect(failure).toBeUndefined();
    expect(replyMs).toBeGreaterThanOrEqual(900);
    expect(replyMs).toBeLessThan(1_200);
    expect(caller.hungUp).toBe(true);
    expect(caller.joined).toEqual([
      ...[livekit, 'synthetic-1', { agentName: 'support', identity: 'synthetic-caller' }],
    ]);
  });

  it('asks at once when the agent does not greet', async () => {
    const result = make();
    caller.ready(false);
    await elapse(200);
    expect(caller.spoken).toHaveLength(1);
    await elapse(100);
    caller.sound(true);
    await elapse(100);
    expect(await result).toEqual({ replyMs: expect.any(Number) });
  });

  it.each([
    ['no agent', 'no_agent', () => {}],
    ['an agent that should greet and does not', 'no_greeting', () => caller.ready(true)],
    ['an agent that does not answer', 'no_reply', () => caller.ready(false)],
  ])('fails with %s', async (_what, failure, happens) => {
    const result = make();
    happens();
    await elapse(40_000);
    expect(await result).toEqual({ failure });
    expect(caller.hungUp).toBe(true);
  });

  it('fails at once when the agent leaves', async () => {
    const result = make();
    caller.ready(false);
    await elapse(300);
    caller.emit('left');
    await elapse(100);
    expect(await result).toEqual({ failure: 'left' });
  });

  it('fails without a connection, and says why', async () => {
    caller.joinError = new Error('401');
    expect(await make()).toEqual({ failure: 'no_connection', error: caller.joinError });
  });
});

describe('the question', () => {
  it('is speech of a second or two at the rate of the caller', () => {
    const { samples, sampleRate } = questionAudio(48_000);
    expect(samples.length / sampleRate).toBeGreaterThan(1);
    expect(samples.length / sampleRate).toBeLessThan(2);
    const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
    expect(peak).toBeGreaterThan(16_000);
    expect(peak).toBeLessThan(32_768);
  });
});
