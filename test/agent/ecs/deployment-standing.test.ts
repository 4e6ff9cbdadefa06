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

const serving = (counts: Record<string, number>) =>
  Object.entries(counts).map(([deployment, tasks]) => ({ service: 'agents', deployment, tasks }));

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

  const OLD = reading(2, 'own* 2/2 COMPLETED');
  const ROLLING = reading(2, 'new* 0/2', 'own 2/2 COMPLETED');
  it.each<[string, ServiceReading, Record<string, number>[], boolean[]]>([
    [
      'takes calls until so many tasks of a newer deployment do as are wanted',
      ROLLING,
      [{ own: 2 }, { own: 2, new: 1 }, { own: 2, new: 2 }],
      [false, false, true],
    ],
    [
      'is superseded by a deployment that began after the last reading',
      OLD,
      [{ own: 2, new: 1 }, { own: 2, new: 2 }, { new: 2 }],
      [false, true, true],
    ],
    [
      'takes calls again when fewer than half of those do, and no more when they do again',
      OLD,
      [{ new: 2 }, { new: 1 }, {}, { own: 2, new: 1 }, { own: 2, new: 2 }],
      [true, true, false, false, true],
    ],
    [
      'is not superseded by as many as were wanted before a scale-out',
      OLD,
      [
        { own: 4, new: 2 },
        { own: 4, new: 4 },
      ],
      [false, true],
    ],
    ['is not superseded by its own', OLD, [{ own: 2 }, { own: 5 }], [false, false]],
    [
      'is not superseded by an older deployment',
      reading(2, 'own* 2/2', 'oldest 2/0 COMPLETED'),
      [{ own: 2, oldest: 2 }],
      [false],
    ],
    [
      'is not superseded by a deployment that FAILED',
      reading(2, 'oldest 0/0', 'new* 2/2 FAILED', 'own 2/0'),
      [{ new: 2, own: 2 }],
      [false],
    ],
    [
      'takes calls until those do that a rollback has made primary again',
      reading(2, 'oldest* 2/2 COMPLETED', 'own 2/0 FAILED'),
      [
        { own: 2, oldest: 1 },
        { own: 2, oldest: 2 },
      ],
      [true, true],
    ],
    [
      'has no opinion where none is wanted',
      reading(0, 'own* 0/0'),
      [{ own: 0 }, {}],
      [false, false],
    ],
  ])('%s, as the tasks tell each other', (_, service, notes, expected) => {
    const standing = new DeploymentStanding('own', SETTLE_MS);
    standing.observe(service, 0);
    expect(notes.map((note) => standing.hear(serving(note), MINUTE))).toEqual(expected);
  });

  it('is superseded by no deployment that ECS does not list any more, whoever names it', () => {
    const standing = new DeploymentStanding('own', SETTLE_MS);
    standing.observe(reading(2, 'own* 2/2', 'oldest 2/0 COMPLETED'), 0);
    standing.observe(OLD, MINUTE);
    expect(standing.hear(serving({ own: 2, oldest: 2 }), MINUTE)).toBe(false);
  });

  it('keeps to what the tasks tell each other when ECS reports the deployment: that has begun to take calls', () => {
    const standing = new DeploymentStanding('own', SETTLE_MS);
    standing.observe(OLD, 0);
    standing.hear(serving({ own: 2, new: 2 }), MINUTE);
    for (const running of [0, 1, 2])
      expect(standing.observe(reading(2, `new* ${running}/2`, 'own 2/2 COMPLETED'), MINUTE)).toBe(
        'superseded',
      );
    // Its tasks run, and take no calls.
    standing.hear(serving({}), MINUTE);
    expect(standing.observe(reading(2, 'new* 2/2', 'own 2/2 COMPLETED'), 2 * MINUTE)).toBe(
      'current',
    );
  });

  it('takes who comes after it for newer, before ECS has told of the deployments', () => {
    const standing = new DeploymentStanding('own', SETTLE_MS);
    const heard = (counts: Record<string, number>) => standing.hear(serving(counts), 0);
    expect([heard({ old: 2 }), heard({ old: 2, own: 1 }), heard({ own: 2 })]).toEqual([
      false,
      false,
      false,
    ]);
    expect([heard({ own: 2, new: 1 }), heard({ own: 2, new: 2 })]).toEqual([false, true]);
    expect(standing.observe(reading(2, 'own* 2/2', 'new 2/2'), 0)).toBe('current');
    // An older one that takes calls again.
    const again = new DeploymentStanding('own', SETTLE_MS);
    expect(again.hear(serving({ old: 0, own: 1 }), 0)).toBe(false);
    expect(again.hear(serving({ old: 2, own: 1 }), 0)).toBe(false);
    // One that nobody has told of this task is not sure who came first.
    const other = new DeploymentStanding('own', SETTLE_MS);
    expect(other.hear(serving({ new: 2 }), 0)).toBe(false);
    expect(other.hear(serving({ own: 1, new: 2 }), 0)).toBe(false);
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
