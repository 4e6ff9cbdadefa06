// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { lanesOfRegions, parseLanes } from '../../../agent/src/lanes/lane-list.js';
import { lanesOfCall } from '../../../agent/src/lanes/lanes-of-call.js';

const role = (account: string) => `arn:aws:iam::${account}:role/voice/lane`;
const A = '111122223333';
const B = '222233334444';

describe('parseLanes', () => {
  it('names a lane by its Region, and the account of its role', () => {
    const list = [
      { region: 'us-east-1' },
      { region: 'us-east-1', role: role(A) },
      { region: 'us-west-2', role: role(A), name: 'sales' },
    ];
    expect(parseLanes(JSON.stringify(list))).toEqual([
      { name: 'us-east-1', region: 'us-east-1' },
      { name: `${A}/us-east-1`, region: 'us-east-1', role: role(A) },
      { name: 'sales', region: 'us-west-2', role: role(A) },
    ]);
  });

  it.each([
    ['no JSON', 'us-east-1'],
    ['no list', '{"region":"us-east-1"}'],
    ['an empty list', '[]'],
    ['no Region', `[{"role":"${role(A)}"}]`],
    ['a role by its name', '[{"region":"us-east-1","role":"lane"}]'],
    ['a key that it does not know', '[{"region":"us-east-1","account":"111122223333"}]'],
    ['two lanes that are the same', '[{"region":"us-east-1"},{"region":"us-east-1"}]'],
  ])('refuses %s', (_what, json) => {
    expect(parseLanes(json)).toBeUndefined();
  });
});

describe('lanesOfCall', () => {
  const lanes = parseLanes(
    JSON.stringify(
      ['us-east-1', 'us-west-2'].flatMap((region) => [
        { region },
        { region, role: role(A) },
        { region, role: role(B) },
      ]),
    ),
  ) as NonNullable<ReturnType<typeof parseLanes>>;
  const names = (random: number) =>
    lanesOfCall(lanes, undefined, () => random).map(({ name }) => name);

  it('begins with another account, and keeps the order of the Regions', () => {
    const order = (region: string, ...accounts: string[]) =>
      accounts.map((account) => (account ? `${account}/${region}` : region));
    expect(names(0)).toEqual([...order('us-east-1', '', A, B), ...order('us-west-2', '', A, B)]);
    expect(names(0.5)).toEqual([...order('us-east-1', A, B, ''), ...order('us-west-2', A, B, '')]);
    expect(names(0.99)).toEqual([...order('us-east-1', B, '', A), ...order('us-west-2', B, '', A)]);
  });

  it('ends with those of a Region that failed when they were last asked, before the next Region', () => {
    const failed = (name: string) => (name === 'us-east-1' ? 0 : undefined);
    const order = lanesOfCall(lanes, failed, () => 0).map(({ name }) => name);
    expect(order).toEqual([
      ...[`${A}/us-east-1`, `${B}/us-east-1`, 'us-east-1'],
      ...['us-west-2', `${A}/us-west-2`, `${B}/us-west-2`],
    ]);
  });

  it('gives credentials to lanes with a role only, the same for all lanes of a role', () => {
    const [own, first] = lanesOfCall(lanes, undefined, () => 0);
    const west = lanesOfCall(lanes, undefined, () => 0)[4];
    expect(own?.credentials).toBeUndefined();
    expect(typeof first?.credentials).toBe('function');
    expect(west?.credentials).toBe(first?.credentials);
  });

  it('leaves Regions of one account as they are', () => {
    const regions = lanesOfRegions(['us-west-2', 'us-east-1']);
    expect(lanesOfCall(regions, undefined, () => 0.99)).toEqual(regions);
  });
});
