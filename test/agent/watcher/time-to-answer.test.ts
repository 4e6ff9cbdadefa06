// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { timeToAnswer } from '../../../agent/src/watcher/time-to-answer.js';
import { ManualClock } from '../../support/manual-clock.js';
import { SimulatedLiveKit } from './simulated-livekit.js';

async function answeredCall() {
  const clock = new ManualClock();
  const livekit = new SimulatedLiveKit(clock, () => 0);
  livekit.slots = 2;
  livekit.join('a');
  await clock.pass(3_000);
  const measure = async () => {
    const call = { room: 'a', caller: 'caller-a', agent: livekit.agents('a')[0] ?? '' };
    const measured = timeToAnswer(livekit.client(), call, livekit.wallClock());
    await clock.pass(10);
    return measured;
  };
  return { clock, livekit, measure };
}

test('the time to answer is from the join of the caller to the first sound', async () => {
  const { measure } = await answeredCall();
  expect(await measure()).toBe(3_000);
});

test('a second agent in a call that went on does not answer it', async () => {
  const { clock, livekit, measure } = await answeredCall();
  livekit.leave('a', livekit.agents('a')[0]);
  livekit.dispatch('a');
  await clock.pass(1_000);
  expect(livekit.agents('a').length).toBe(1);
  expect(await measure()).toBeUndefined();
});

test('a caller who has left has no time to answer', async () => {
  const { livekit, measure } = await answeredCall();
  livekit.leave('a');
  expect(await measure()).toBeUndefined();
});
