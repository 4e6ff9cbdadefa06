// SPDX-License-Identifier: Apache-2.0

import { InOrder } from '../../../../local/playground/state/reorder-buffer.js';

function feed() {
  const got: string[] = [];
  const asked: number[] = [];
  const inOrder = new InOrder<string>(
    (thing) => got.push(thing),
    (from) => asked.push(from),
  );
  return { inOrder, got, asked };
}

describe('a feed that may lose messages', () => {
  it('is delivered once and in order', () => {
    const { inOrder, got, asked } = feed();
    inOrder.take(0, 'a');
    inOrder.take(2, 'c');
    inOrder.take(0, 'a');
    expect(got).toEqual(['a']);
    inOrder.tick(1000);
    expect(asked).toEqual([1]);
    inOrder.take(1, 'b');
    inOrder.take(2, 'c');
    expect(got).toEqual(['a', 'b', 'c']);
    inOrder.tick(2000);
    expect(asked).toEqual([1]);
  });

  it('is asked for while nothing has come, then given up', () => {
    const { inOrder, asked } = feed();
    for (let second = 0; second < 20; second++) inOrder.tick(second * 1000);
    expect(asked).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('goes on without what never comes', () => {
    const { inOrder, got } = feed();
    inOrder.take(3, 'd');
    for (const now of [0, 3000, 6000]) inOrder.tick(now);
    expect(got).toEqual(['d']);
    inOrder.take(4, 'e');
    expect(got).toEqual(['d', 'e']);
  });

  it('is caught up with after a lost connection, also when nothing came since', () => {
    const { inOrder, got, asked } = feed();
    inOrder.take(0, 'a');
    inOrder.catchUp();
    expect(asked).toEqual([1]);
    inOrder.take(1, 'b');
    expect(got).toEqual(['a', 'b']);
  });
});
