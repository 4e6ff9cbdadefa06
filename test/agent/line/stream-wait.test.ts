// SPDX-License-Identifier: Apache-2.0

import { beforeEach, describe, expect, it } from '@jest/globals';
import { StreamWait } from '../../../agent/src/line/stream-wait.js';
import { ManualClock } from '../../support/manual-clock.js';

let clock: ManualClock;
let wait: StreamWait;
/** What the caller hears, and when it began or ended. */
let heard: string[];
let waits: boolean[];

function begin(speaksFirst = true) {
  clock = new ManualClock();
  heard = [];
  waits = [];
  wait = new StreamWait(clock, {
    speaksFirst,
    play: (words) => heard.push(`${clock.now()} ${words ? 'words' : 'music'}`),
    stop: () => heard.push(`${clock.now()} stop`),
  });
  wait.onChange = (one) => waits.push(one);
}
beforeEach(() => begin());

const opening = (reason = 'start') => wait.streamChanged({ type: 'opening', reason });
const throttled = () => wait.streamChanged({ type: 'throttled', reason: 'start' });
const opened = () => wait.streamChanged({ type: 'opened', reason: 'start' });
/** All lanes are full, and are asked again and again. */
async function fullHouse(ms: number) {
  opening();
  throttled();
  for (let passed = 0; passed < ms; passed += 500) {
    await clock.pass(500);
    opening('failure');
    throttled();
  }
}

describe('a new caller', () => {
  it('for whom all lanes are full hears the words in time, counted from the arrival of the agent', async () => {
    await clock.pass(400);
    await fullHouse(20_000);
    expect(heard).toEqual(['1300 words']);
    expect(waits).toEqual([true]);
  });

  it('who waits for the turn of others, without having asked a lane, hears the same', async () => {
    wait.lanesFull();
    await clock.pass(20_000);
    expect(heard).toEqual(['1300 words']);
    opening();
    opened();
    expect(waits).toEqual([true, false]);
  });

  it('hears nothing of the kind when the next lane has a stream', async () => {
    opening();
    await clock.pass(300);
    throttled();
    opening('failure');
    await clock.pass(400);
    opened();
    await clock.pass(20_000);
    expect(heard).toEqual([]);
    expect(waits).toEqual([true, false]);
  });

  it('hears nothing of the kind when a stream only opens slowly, and the words when it does not', async () => {
    opening();
    await clock.pass(3_999);
    expect(heard).toEqual([]);
    await clock.pass(1);
    expect(heard).toEqual(['4000 words']);
  });

  it('hears the music until the agent speaks', async () => {
    await fullHouse(10_000);
    opened();
    await clock.pass(1_200);
    wait.set('speaking', true);
    wait.set('speaking', false);
    await clock.pass(20_000);
    expect(heard).toEqual(['1300 words', '11200 stop']);
  });

  it('hears it no longer than a while when the agent says nothing', async () => {
    await fullHouse(10_000);
    opened();
    await clock.pass(20_000);
    expect(heard).toEqual(['1300 words', '18000 stop']);
  });

  it('may speak at once when the agent has nothing to say first', async () => {
    begin(false);
    await fullHouse(10_000);
    opened();
    expect(heard).toEqual(['1300 words', '10000 stop']);
  });

  it('hears it on when the stream fails before the agent spoke', async () => {
    await fullHouse(10_000);
    opened();
    await clock.pass(1_000);
    opening('failure');
    await clock.pass(20_000);
    expect(heard).toEqual(['1300 words']);
  });

  it('whose phone rings hears nothing before it is answered', async () => {
    wait.set('ringing', true);
    await fullHouse(10_000);
    expect(heard).toEqual([]);
    wait.set('ringing', false);
    await clock.pass(5_000);
    expect(heard).toEqual(['11300 words']);
  });

  it('who comes from the waiting line hears its music, then ours, and the words once', async () => {
    wait.set('line', true);
    await fullHouse(8_000);
    expect(heard).toEqual([]);
    wait.set('line', false);
    await clock.pass(1_000);
    expect(heard).toEqual(['8000 music']);
  });

  it('is left alone at the end of the call', async () => {
    await fullHouse(5_000);
    wait.close();
    await fullHouse(10_000);
    wait.set('ringing', true);
    expect(heard).toEqual(['1300 words', '5000 stop']);
    expect(clock.pending).toBe(0);
  });
});

describe('in the middle of a conversation', () => {
  beforeEach(async () => {
    opening();
    opened();
    await clock.pass(60_000);
  });

  it('a call that loses its stream for long has music, without words, and none once it is back', async () => {
    opening('failure');
    throttled();
    await clock.pass(3_999);
    expect(heard).toEqual([]);
    await clock.pass(6_000);
    expect(heard).toEqual(['64000 music']);
    opened();
    expect(heard).toEqual(['64000 music', '69999 stop']);
  });

  it('a handoff whose next agent finds all lanes full has music, too', async () => {
    await fullHouse(5_000);
    opened();
    expect(heard).toEqual(['64000 music', '65000 stop']);
  });

  it('what the agent still says is not played over', async () => {
    wait.set('speaking', true);
    opening('failure');
    await clock.pass(6_000);
    expect(heard).toEqual([]);
    wait.set('speaking', false);
    await clock.pass(4_000);
    expect(heard).toEqual(['70000 music']);
  });

  it('the renewal of a stream is no wait', async () => {
    opening('age');
    throttled();
    await clock.pass(20_000);
    expect(heard).toEqual([]);
    expect(waits).toEqual([true, false]);
  });
});
