// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { Aws, Fn } from 'aws-cdk-lib/core';
import { nameLanes, validateLanes } from '../../../lib/access/nova-sonic-lanes.js';

const role = (account: string) => `arn:aws:iam::${account}:role/voice/lane`;
const A = '111122223333';
const B = '222233334444';
/** A role whose ARN only CloudFormation knows. */
const LATER = Fn.join('', ['arn:aws:iam::', Aws.ACCOUNT_ID, ':role/lane']);

describe('the lanes of a service', () => {
  it('have the name and the quota that they are given, else those that follow from Region and account', () => {
    const lanes = nameLanes(
      [
        { region: 'us-east-1' },
        { region: 'us-east-1', role: role(A), streams: 7 },
        { region: 'us-east-1', role: role(B), name: 'sales' },
        { region: 'us-east-1', role: LATER, name: 'later' },
      ],
      20,
    );
    expect(lanes.map(({ name, streams }) => [name, streams])).toEqual([
      ['us-east-1', 20],
      [`${A}/us-east-1`, 7],
      ['sales', 20],
      ['later', 20],
    ]);
    expect(lanes[1]?.role).toBe(role(A));
  });

  it('are one for each account and Region', () => {
    const lanes = [A, B].flatMap((account) =>
      ['us-east-1', 'us-west-2'].map((region) => ({ region, role: role(account) })),
    );
    expect(validateLanes(lanes)).toBeUndefined();
    expect(validateLanes([...lanes, { region: 'us-west-2', role: role(B) }])).toBe(
      `"lanes" has ${B}/us-west-2 twice: each account has one quota in a Region.`,
    );
    expect(() => nameLanes([{ region: 'us-east-1' }, { region: 'us-east-1' }], 20)).toThrow(
      '"lanes" has us-east-1 twice',
    );
  });

  it.each([
    ['none', [], '"lanes" cannot be empty: name a lane.'],
    [
      'a role by its name',
      [{ region: 'us-east-1' }, { region: 'us-east-1', role: 'voice-lane' }],
      '"lanes" cannot have the role "voice-lane": give its ARN, like arn:aws:iam::111122223333:role/voice-lane.',
    ],
    [
      'a role with something before its ARN',
      [{ region: 'us-east-1', role: ` ${role(A)}` }],
      `"lanes" cannot have the role " ${role(A)}": give its ARN, like arn:aws:iam::111122223333:role/voice-lane.`,
    ],
    [
      'a role with something behind its ARN',
      [{ region: 'us-east-1', role: `${role(A)}!` }],
      `"lanes" cannot have the role "${role(A)}!": give its ARN, like arn:aws:iam::111122223333:role/voice-lane.`,
    ],
    [
      'a role of the future without a name',
      [{ region: 'us-west-2', role: LATER }],
      'The lane in us-west-2 whose role is known at deployment only needs a "name".',
    ],
  ])('are refused: %s', (_, lanes, sentence) => {
    expect(validateLanes(lanes)).toBe(sentence);
  });
});
