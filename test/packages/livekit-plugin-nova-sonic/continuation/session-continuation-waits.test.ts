// SPDX-License-Identifier: Apache-2.0
// A call without a stream while every lane is full: how long it waits, in which order, and what it says about that.
import { describe, expect, test } from '@jest/globals';
import { beginContinuation, rigContinuation } from '../support/fake-streams.js';

const LANES = ['a', 'b', 'c'];
const WAIT_MS = 60_000;
type Rig = ReturnType<typeof rigContinuation>;

/** Every lane refuses whatever is asked, for a while. */
function fullHouse(rig: Rig, ms: number) {
  for (let passed = 0; passed < ms; passed += 50) {
    rig.clock.advance(50);
    rig.streams.at(-1)?.break('throttled');
  }
}
const ended = (rig: Rig) => rig.failures.some(({ recoverable }) => !recoverable);
const settle = () => new Promise((resolve) => setImmediate(resolve));

describe.each([
  ['a new call', () => rigContinuation],
  ['a call that loses its stream in mid conversation', () => beginContinuation],
])('%s, while every lane is full', (what, begin) => {
  function start(retry: NonNullable<Parameters<Rig['continuation']['start']>> | object = {}) {
    const rig = begin()({ regions: LANES, retry: { waitWhenFullMs: WAIT_MS, ...retry } });
    if (what === 'a new call') rig.continuation.start();
    else {
      rig.hear(5_000);
      rig.stream(0).break('connection');
      rig.clock.advance(0);
    }
    return rig;
  }

  test('goes on asking for 60 s, then ends', () => {
    const rig = start();
    fullHouse(rig, WAIT_MS - 3_000);
    expect(ended(rig)).toBe(false);
    fullHouse(rig, 6_000);
    expect(ended(rig)).toBe(true);
  });

  test('has a stream as soon as one is free, and can lose it again', () => {
    const rig = start();
    fullHouse(rig, 40_000);
    rig.clock.advance(2_500);
    rig.streams.at(-1)?.open();
    expect(rig.continuation.live).toBe(true);
    rig.hear(1_000);
    rig.streams.at(-1)?.break('connection');
    fullHouse(rig, WAIT_MS - 3_000);
    expect(ended(rig)).toBe(false);
  });

  test('tells the refusal of each lane, and then no more of them', () => {
    const rig = start();
    fullHouse(rig, 500);
    const before = rig.failures.length;
    expect(rig.failures.filter(({ kind }) => kind === 'throttled')).toHaveLength(LANES.length);
    fullHouse(rig, 30_000);
    expect(rig.types().filter((type) => type === 'throttled').length).toBeGreaterThan(10);
    expect(rig.failures).toHaveLength(before);
  });

  test('asks again when it is its turn, and not before', async () => {
    const asked: boolean[] = [];
    let goOn = () => {};
    const rig = start({
      turn: (refused: boolean) => {
        asked.push(refused);
        return refused ? new Promise<void>((resolve) => (goOn = resolve)) : undefined;
      },
    });
    fullHouse(rig, 5_000);
    expect(asked.filter(Boolean)).toEqual([true]);
    const tried = rig.streams.length;
    fullHouse(rig, 20_000);
    expect(rig.streams).toHaveLength(tried);
    goOn();
    await settle();
    expect(rig.streams).toHaveLength(tried + 1);
    rig.streams.at(-1)?.open();
    expect(rig.continuation.live).toBe(true);
  });

  test('asks once more when its turn does not come in time, and ends', async () => {
    const rig = start({
      turn: (refused: boolean) => (refused ? new Promise(() => {}) : undefined),
    });
    fullHouse(rig, WAIT_MS - 3_000);
    const tried = rig.streams.length;
    expect(ended(rig)).toBe(false);
    fullHouse(rig, 6_000);
    expect(rig.streams).toHaveLength(tried + 1);
    expect(ended(rig)).toBe(true);
  });

  test('asks for nothing any more when it was closed meanwhile', async () => {
    let goOn = () => {};
    const rig = start({
      turn: (refused: boolean) =>
        refused ? new Promise<void>((resolve) => (goOn = resolve)) : undefined,
    });
    fullHouse(rig, 5_000);
    const tried = rig.streams.length;
    await rig.continuation.close();
    goOn();
    await settle();
    rig.clock.advance(WAIT_MS);
    expect(rig.streams).toHaveLength(tried);
    expect(rig.clock.pending).toBe(0);
  });
});

test('a new call opens no stream before it is its turn, and asks each lane then', async () => {
  let goOn = () => {};
  const turn = (refused: boolean) =>
    refused ? undefined : new Promise<void>((resolve) => (goOn = resolve));
  const rig = rigContinuation({ regions: LANES, retry: { waitWhenFullMs: WAIT_MS, turn } });
  rig.continuation.start();
  rig.clock.advance(45_000);
  expect(rig.streams).toEqual([]);
  goOn();
  await settle();
  fullHouse(rig, 400);
  expect(rig.streams.map(({ lane }) => lane).slice(0, 3)).toEqual(LANES);
  expect(ended(rig)).toBe(false);
  fullHouse(rig, 17_000);
  expect(ended(rig)).toBe(true);
});
