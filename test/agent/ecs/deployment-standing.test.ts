// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { DeploymentStanding } from '../../../agent/src/ecs/deployment-standing.js';
import type { DeploymentReading, ServiceReading } from '../../../agent/src/ecs/service-api.js';

const MINUTE = 60_000;
const SETTLE_MS = 2 * MINUTE;

/** Written as `own* 2/2 COMPLETED`: the primary has a star, then running/desired, state, failed tasks. */
function reading(desired: number, ...lines: string[]): ServiceReading {
  const ages: Record<string, number> = { oldest: 1, own: 2, new: 3, newest: 4 };
  const deployments = lines.map((line): DeploymentReading => {
    const [name = '', counts = '', rolloutState = 'IN_PROGRESS', failed = '0'] = line.split(' ');
    const [running, wanted] = counts.split('/').map(Number) as [number, number];
    const id = name.replace('*', '');
    return {
      id,
      primary: name.endsWith('*'),
      rolloutState,
      desired: wanted,
      running,
      failed: Number(failed),
      createdAt: ages[id] ?? 0,
    };
  });
  return { desired, deployments };
}

/** The standings after readings a minute apart. */
function standings(...readings: ServiceReading[]): string[] {
  const standing = new DeploymentStanding('own', SETTLE_MS);
  return readings.map((service, i) => standing.observe(service, i * MINUTE));
}

describe('a task', () => {
  it.each<[string, ServiceReading[], string[]]>([
    ['of the only deployment is current', [reading(2, 'own* 2/2 COMPLETED')], ['current']],
    [
      'is superseded when a newer deployment is COMPLETED, not before',
      [
        reading(2, 'new* 0/2', 'own 2/2 COMPLETED'),
        reading(2, 'new* 2/2', 'own 2/2 COMPLETED'),
        reading(2, 'new* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
      ],
      ['current', 'current', 'superseded'],
    ],
    [
      'without early success when all new tasks have been running for long enough',
      [
        reading(2, 'new* 1/2', 'own 2/2'),
        reading(2, 'new* 2/2', 'own 2/2'),
        reading(2, 'new* 2/2', 'own 2/2'),
        reading(2, 'new* 2/2', 'own 2/2'),
      ],
      ['current', 'current', 'current', 'superseded'],
    ],
    [
      'counts that time anew when a new task has failed',
      [
        reading(2, 'new* 2/2', 'own 2/2'),
        reading(2, 'new* 2/2', 'own 2/2'),
        reading(2, 'new* 2/2 IN_PROGRESS 1', 'own 2/2'),
        reading(2, 'new* 2/2 IN_PROGRESS 1', 'own 2/2'),
        reading(2, 'new* 2/2 IN_PROGRESS 1', 'own 2/2'),
      ],
      ['current', 'current', 'current', 'current', 'superseded'],
    ],
    [
      'is not superseded by a deployment that FAILED',
      [reading(2, 'new* 2/2 FAILED', 'own 2/2')],
      ['current'],
    ],
    [
      'takes calls again when a rollback makes its deployment primary',
      [
        reading(2, 'new* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
        reading(2, 'own* 2/2', 'new 2/0 FAILED'),
      ],
      ['superseded', 'current'],
    ],
    [
      'takes calls again while a rollback starts new tasks of the same code',
      [
        reading(2, 'new* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
        reading(2, 'newest* 0/2', 'new 2/0 FAILED', 'own 2/0 COMPLETED'),
        reading(2, 'newest* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
      ],
      ['superseded', 'current', 'superseded'],
    ],
    [
      'takes calls again when most of the new tasks are gone',
      [
        reading(4, 'new* 4/4 COMPLETED', 'own 4/0 COMPLETED'),
        reading(4, 'new* 2/4 COMPLETED', 'own 4/0 COMPLETED'),
        reading(4, 'new* 1/4 COMPLETED', 'own 4/0 COMPLETED'),
      ],
      ['superseded', 'superseded', 'current'],
    ],
    [
      'stays superseded while a third deployment replaces the second',
      [
        reading(2, 'new* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
        reading(2, 'newest* 0/2', 'new 2/0 COMPLETED', 'own 2/0 COMPLETED'),
        reading(2, 'newest* 1/2', 'new 1/0 COMPLETED', 'own 2/0 COMPLETED'),
        reading(2, 'newest* 2/2 COMPLETED', 'own 2/0 COMPLETED'),
      ],
      ['superseded', 'superseded', 'superseded', 'superseded'],
    ],
    [
      'of a failed deployment is superseded by the older one that is primary again',
      [reading(2, 'oldest* 2/2 COMPLETED', 'own 2/0 FAILED')],
      ['superseded'],
    ],
    [
      'is not superseded by an older deployment that is still being replaced',
      [reading(2, 'newest* 0/2', 'own 2/2 COMPLETED', 'oldest 2/0 COMPLETED')],
      ['current'],
    ],
    [
      'whose deployment is not listed any more is superseded by those that are',
      [reading(1, 'new* 1/1 COMPLETED')],
      ['superseded'],
    ],
  ])('%s', (_, readings, expected) => {
    expect(standings(...readings)).toEqual(expected);
  });

  it.each<[string, string[], boolean, number, string]>([
    ['the last of those too many', ['a', 'b', 'c', 'd'], true, 2, 'surplus'],
    ['one that stays', ['c', 'd', 'e', 'f'], true, 2, 'current'],
    ['one of those too many by its share of many', ['a', 'b', 'd', 'e'], false, 1, 'surplus'],
    ['one that stays by its share of many', ['b', 'd', 'e', 'f'], false, 2, 'current'],
  ])('is surplus by its rank: %s', (_, arns, complete, desired, expected) => {
    const standing = new DeploymentStanding('own', SETTLE_MS);
    const service = reading(desired, `own* 4/${desired} COMPLETED`);
    expect(standing.hasSurplus(service)).toBe(true);
    const surplus = { taskArn: 'c', listing: { arns, complete } };
    expect(standing.observe(service, 0, surplus)).toBe(expected);
    expect(standing.observe(service, 0)).toBe('current');
    // Wanted again.
    const grown = reading(4, 'own* 4/4 COMPLETED');
    expect(standing.hasSurplus(grown)).toBe(false);
    expect(standing.observe(grown, 0, surplus)).toBe('current');
  });

  it('leaves exactly as many as are wanted, whichever they are', () => {
    const arns = ['c', 'a', 'e', 'b', 'd'];
    for (const desired of [0, 1, 3, 4]) {
      const service = reading(desired, `own* 5/${desired}`);
      const left = arns.filter((taskArn) => {
        const surplus = { taskArn, listing: { arns, complete: true } };
        return new DeploymentStanding('own', 0).observe(service, 0, surplus) === 'current';
      });
      expect(left).toHaveLength(desired);
    }
  });
});
