// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { AgentArrival, type ArrivingAgent } from '../../../agent/src/line/agent-arrival.js';
import { ManualClock } from '../../support/manual-clock.js';

const AGENT: ArrivingAgent = { identity: 'agent-1', hasAudio: true };

function rig() {
  const clock = new ManualClock();
  const takenOver: number[] = [];
  const arrival = new AgentArrival(clock, () => takenOver.push(clock.now()));
  return { clock, takenOver, arrival };
}

describe('an agent that joins a caller who waits', () => {
  it('takes over when it speaks, and not while its stream is opened', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, hasAudio: false });
    await clock.pass(1_000);
    arrival.update({ ...AGENT, state: 'initializing' });
    await clock.pass(1_000);
    arrival.update({ ...AGENT, state: 'listening', greets: true });
    await clock.pass(4_000);
    expect(takenOver).toEqual([]);
    arrival.update({ ...AGENT, state: 'speaking', greets: true });
    expect(takenOver).toEqual([6_000]);
    await clock.pass(60_000);
    expect(takenOver.length).toBe(1);
  });

  it('takes over at once when it has nothing to say first', () => {
    const { takenOver, arrival } = rig();
    arrival.update({ ...AGENT, state: 'listening', greets: false });
    expect(takenOver).toEqual([0]);
  });

  it.each<[state: string | undefined, hasAudio: boolean, takesOver: boolean]>([
    ['listening', true, true],
    ['thinking', true, true],
    ['idle', true, true],
    ['speaking', true, true],
    ['initializing', true, false],
    [undefined, true, false],
    ['listening', false, false],
    ['idle', false, false],
  ])(
    'that says nothing first, in the state %s, audio %s: takes over at once is %s',
    (state, hasAudio, expected) => {
      const { takenOver, arrival } = rig();
      arrival.update({ ...AGENT, state, hasAudio, greets: false });
      expect(takenOver.length).toBe(expected ? 1 : 0);
    },
  );

  it('has the whole time to speak from when it has audio, however long that took', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, hasAudio: false, state: 'listening' });
    await clock.pass(10_000);
    arrival.update({ ...AGENT, state: 'listening' });
    await clock.pass(60_000);
    expect(takenOver).toEqual([13_000]);
  });

  it('whose audio is lost again has the whole time to get some', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, state: 'listening' });
    await clock.pass(2_000);
    arrival.update({ ...AGENT, hasAudio: false, state: 'listening' });
    await clock.pass(60_000);
    expect(takenOver).toEqual([17_000]);
  });

  it('has not taken over while it has no audio, whatever its state', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, hasAudio: false, state: 'speaking' });
    await clock.pass(5_000);
    expect(takenOver).toEqual([]);
  });

  it.each<[string, Partial<ArrivingAgent>, number]>([
    ['that listens and has not said whether it greets', { state: 'listening' }, 3_000],
    ['whose greeting does not come', { state: 'listening', greets: true }, 8_000],
    ['without audio', { hasAudio: false }, 15_000],
  ])('%s takes over after a while', async (_, agent, ms) => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, ...agent });
    await clock.pass(1_000);
    // Another event, of something else.
    arrival.update({ ...AGENT, ...agent });
    await clock.pass(60_000);
    expect(takenOver).toEqual([ms]);
  });

  it('counts from when it listened, also when it says later that it greets', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, state: 'listening' });
    await clock.pass(2_000);
    arrival.update({ ...AGENT, state: 'thinking', greets: true });
    await clock.pass(60_000);
    expect(takenOver).toEqual([8_000]);
  });

  it('has not taken over when it leaves again: the next one has its own time', async () => {
    const { clock, takenOver, arrival } = rig();
    arrival.update({ ...AGENT, state: 'listening' });
    await clock.pass(2_000);
    arrival.update(undefined);
    await clock.pass(60_000);
    expect(takenOver).toEqual([]);
    arrival.update({ ...AGENT, identity: 'agent-2', state: 'listening' });
    await clock.pass(60_000);
    expect(takenOver).toEqual([65_000]);
  });
});
