// SPDX-License-Identifier: Apache-2.0

import { ReorderBuffer } from '../../../agent/src/call/reorder-buffer.js';

function setUp() {
  const delivered: string[] = [];
  const requested: number[] = [];
  const buffer = new ReorderBuffer<string>(
    (item) => delivered.push(item),
    (from) => requested.push(from),
  );
  return { buffer, delivered, requested };
}

describe('ReorderBuffer', () => {
  it('delivers once and in order', () => {
    const { buffer, delivered, requested } = setUp();
    buffer.add(0, 'a');
    buffer.add(2, 'c');
    buffer.add(0, 'a');
    expect(delivered).toEqual(['a']);
    buffer.tick(1000);
    expect(requested).toEqual([1]);
    buffer.add(1, 'b');
    buffer.add(2, 'c');
    expect(delivered).toEqual(['a', 'b', 'c']);
    buffer.tick(2000);
    expect(requested).toEqual([1]);
  });

  it('requests everything while nothing has arrived, then gives up', () => {
    const { buffer, requested } = setUp();
    for (let second = 0; second < 20; second++) buffer.tick(second * 1000);
    expect(requested).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('skips items that never arrive', () => {
    const { buffer, delivered } = setUp();
    buffer.add(3, 'd');
    for (const now of [0, 3000, 6000]) buffer.tick(now);
    expect(delivered).toEqual(['d']);
    buffer.add(4, 'e');
    expect(delivered).toEqual(['d', 'e']);
  });

  it('requests what may be lost after a lost connection, even if nothing arrived since', () => {
    const { buffer, delivered, requested } = setUp();
    buffer.add(0, 'a');
    buffer.catchUp();
    expect(requested).toEqual([1]);
    buffer.add(1, 'b');
    expect(delivered).toEqual(['a', 'b']);
  });

  it('delivers at its end what has arrived, and then everything at once', () => {
    const { buffer, delivered, requested } = setUp();
    buffer.add(4, 'e');
    buffer.add(2, 'c');
    buffer.end();
    expect(delivered).toEqual(['c', 'e']);
    buffer.add(7, 'h');
    buffer.add(6, 'g');
    expect(delivered).toEqual(['c', 'e', 'h']);
    buffer.tick(1_000);
    expect(requested).toEqual([]);
  });
});
