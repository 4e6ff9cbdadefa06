// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { MemoryByCall } from '../../../agent/src/host/memory-by-call.js';

const MB = 1024 * 1024;

function setUp() {
  let rss = 200 * MB;
  const memory = new MemoryByCall(() => rss);
  const grow = (mb: number) => {
    rss += mb * MB;
  };
  return { memory, grow };
}

test('names the call during whose tools the process grew most, also after an await', async () => {
  const { memory, grow } = setUp();
  memory.measure('a', () => grow(20));
  await memory.measure('b', async () => {
    await Promise.resolve();
    grow(30);
  });
  expect(memory.largest).toEqual({ callId: 'b', grownMB: 30 });
  memory.measure('a', () => grow(15));
  expect(memory.largest).toEqual({ callId: 'a', grownMB: 35 });
});

test('a tool that fails is counted, and its error goes on', async () => {
  const { memory, grow } = setUp();
  const fail = () => {
    grow(5);
    throw new Error('no');
  };
  expect(() => memory.measure('a', fail)).toThrow('no');
  await expect(memory.measure('a', async () => fail())).rejects.toThrow('no');
  expect(memory.largest).toEqual({ callId: 'a', grownMB: 10 });
});

test('names nobody while nothing has grown, and no call that has ended', () => {
  const { memory, grow } = setUp();
  memory.measure('a', () => {});
  expect(memory.largest).toBeUndefined();
  memory.measure('b', () => grow(50));
  memory.ended('b');
  expect(memory.largest).toBeUndefined();
});

test('names a call whose tool is still growing, not one whose tool never returns', async () => {
  const { memory, grow } = setUp();
  void memory.measure('never', () => new Promise(() => {}));
  let end: () => void = () => {};
  const growing = memory.measure('grows', () => {
    grow(100);
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  });
  expect(memory.largest).toEqual({ callId: 'grows', grownMB: 100 });
  grow(50);
  end();
  await growing;
  expect(memory.largest).toEqual({ callId: 'grows', grownMB: 150 });
  memory.ended('grows');
  memory.ended('never');
  expect(memory.largest).toBeUndefined();
});

test('does not blame a call that has ended for what its tool still takes', async () => {
  const { memory, grow } = setUp();
  let end: () => void = () => {};
  const late = memory.measure(
    'a',
    () =>
      new Promise<void>((resolve) => {
        end = resolve;
      }),
  );
  memory.ended('a');
  grow(100);
  end();
  await late;
  expect(memory.largest).toBeUndefined();
});

test('does not blame a tool that never returns for what another one took meanwhile', async () => {
  const { memory, grow } = setUp();
  void memory.measure('never', () => new Promise(() => {}));
  grow(40);
  memory.measure('grows', () => grow(100));
  grow(70);
  expect(memory.largest?.callId).toBe('never');
  memory.ended('never');
  expect(memory.largest).toEqual({ callId: 'grows', grownMB: 100 });
});

test('names the call that grew also when an earlier tool of another one still runs', () => {
  const { memory, grow } = setUp();
  void memory.measure('never', () => new Promise(() => {}));
  grow(20);
  memory.measure('grows', () => grow(100));
  expect(memory.largest).toEqual({ callId: 'grows', grownMB: 100 });
});
