// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { readSettings, SettingsError } from '../../../lib/settings/read-settings.js';
import type { Settings } from '../../../lib/settings/settings.js';

type Context = Record<string, unknown>;

const KEY = 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555';
const LANE = 'arn:aws:iam::111122223333:role/voice/lane';
const VPC = { vpcId: 'vpc-01234567' };
const x = (times: number) => 'x'.repeat(times);
/** A task that holds as many calls as a setting may ask for. */
const LARGE = { cpu: 8192, memory: 61_440 };
const at = (entry: object) => [{ cron: '0 8 ? * *', minTasks: 1, maxTasks: 2, ...entry }];

/** Values at the edge of what a setting takes, and what becomes of them. */
const TAKEN: [keyof Settings, given: unknown, becomes?: unknown, others?: Context][] = [
  ['name', x(50)],
  ['name', ' support ', 'support'],
  ['agentName', x(100)],
  ['agentName', 'a.b-c_d'],
  ['bedrockRegions', ' us-west-2 , us-east-1 ', ['us-west-2', 'us-east-1']],
  ['bedrockRegions', ['us-gov-west-1'], undefined, { forceModel: true }],
  ['lanes', '[{"region": "us-east-1"}]', [{ region: 'us-east-1' }]],
  [
    'lanes',
    [{ region: 'us-east-1' }, { region: 'us-east-1', role: LANE, streams: 1, name: 'a/b' }],
  ],
  ['streamQuotaPerRegion', 1],
  ['streamQuotaPerRegion', '100000', 100_000],
  ['forceModel', 'false', false],
  ['forceModel', true],
  ['renewAfterSeconds', 10],
  ['renewAfterSeconds', 470],
  ['maxCallSeconds', 60],
  ['maxCallSeconds', ' 86400 ', 86_400],
  ['liveKitSecret', ' team/livekit ', 'team/livekit'],
  ['secretKmsKey', KEY],
  ['secrets', { KEY: 'team/key' }, { KEY: { secret: 'team/key' } }],
  ['secrets', '{"KEY": {"secret": "k", "key": "a"}}', { KEY: { secret: 'k', key: 'a' } }],
  ['availabilityZones', 'us-gov-west-1a, us-gov-west-1b', ['us-gov-west-1a', 'us-gov-west-1b']],
  ['image', `localhost:5000/a/b@sha256:${'f'.repeat(64)}`],
  ['vpcId', 'vpc-0123456789abcdef0'],
  ['vpcId', 'vpc-01234567'],
  ['subnetIds', ['subnet-0123456789abcdef0', 'subnet-01234567'], undefined, VPC],
  ['natGateways', 0],
  ['natGateways', 2],
  ['stopTimeoutSeconds', 20],
  ['stopTimeoutSeconds', 120],
  ['minTasks', 500, undefined, { maxTasks: 500 }],
  ['maxTasks', 1],
  ['callsPerTask', 1],
  ['callsPerTask', 100, undefined, LARGE],
  ['callsPerProcess', 1],
  ['callsPerProcess', 100],
  ['targetSlotUtilization', 10],
  ['targetSlotUtilization', 80],
  ['schedules', at({ timeZone: 'UTC' })],
  ['schedules', at({ timeZone: 'Asia/Tokyo' })],
  ['schedules', at({})],
  ['logKmsKey', KEY],
  ['environment', { A: 'text', B_2: 7, C: true }, { A: 'text', B_2: '7', C: 'true' }],
  ['metricsNamespace', x(100)],
  ['metricsNamespace', 'Our/Agents_1.#-'],
  ['priceAudioInPerM', 0],
  ['priceAudioInPerM', 10_000],
  ['priceAudioInPerM', '0.335', 0.335],
];

/** Values just beyond. */
const REFUSED: [keyof Settings, unknown][] = [
  ['name', x(51)],
  ['name', 'a_b'],
  ['name', ''],
  ['agentName', x(101)],
  ['agentName', ''],
  ['model', ''],
  ['bedrockRegions', 'us-east-1a'],
  ['bedrockRegions', 'xus-east-1'],
  ['bedrockRegions', 'us-east-1,'],
  ['lanes', []],
  ['lanes', 'us-east-1'],
  ['lanes', [{ region: 'us-east-1', role: 'voice-lane' }]],
  ['lanes', [{ region: 'us-east-1', streams: 0 }]],
  ['lanes', [{ region: 'us-east-1', account: '111122223333' }]],
  ['streamQuotaPerRegion', 100_001],
  ['streamQuotaPerRegion', 1.5],
  ['streamQuotaPerRegion', '20 streams'],
  ['streamQuotaPerRegion', 'about 20'],
  ['streamQuotaPerRegion', ''],
  ['streamQuotaPerRegion', true],
  ['forceModel', ''],
  ['renewAfterSeconds', 9],
  ['renewAfterSeconds', 471],
  ['maxCallSeconds', 59],
  ['maxCallSeconds', 86_401],
  ['secretKmsKey', `${KEY}/more`],
  ['secretKmsKey', `x${KEY}`],
  ['secretKmsKey', 'arn:aws:kms:us-east-1:1111:key/0a1b'],
  ['secrets', { key: 'small letters' }],
  ['secrets', { KEY: { secret: 'k', kmsKey: 'alias/key' } }],
  ['availabilityZones', 'us-east-1a,us-east-1bb'],
  ['image', `a@sha256:${'f'.repeat(63)}`],
  ['image', `a b@sha256:${'f'.repeat(64)}`],
  ['vpcId', 'vpc-0123456'],
  ['vpcId', 'vpc-0123456789abcdef01'],
  ['vpcId', 'my-vpc-01234567'],
  ['vpcId', 'vpc-0123456G'],
  ['subnetIds', 'subnet-0123456'],
  ['subnetIds', 'subnet-0123456789abcdef01'],
  ['subnetIds', 'my-subnet-01234567'],
  ['natGateways', 0.5],
  ['memory', 511],
  ['memory', 122_881],
  ['stopTimeoutSeconds', 60.5],
  ['minTasks', 501],
  ['minTasks', 1.5],
  ['maxTasks', 501],
  ['maxTasks', '0x10'],
  ['callsPerTask', 101],
  ['callsPerProcess', 101],
  ['targetSlotUtilization', 9],
  ['targetSlotUtilization', 81],
  ['targetSlotUtilization', 60.5],
  ['schedules', at({ minTasks: 0.5 })],
  ['schedules', at({ maxTasks: 2.5 })],
  ['schedules', at({ timeZone: 'Mars/Olympus' })],
  ['schedules', { cron: '0 8 ? * *', minTasks: 1, maxTasks: 2 }],
  ['logRetentionDays', 9999],
  ['environment', { a: 'small letters' }],
  ['environment', { 'A-B': 'no name' }],
  ['environment', { _A: 'no name' }],
  ['environment', { A: ['a list'] }],
  ['metricsNamespace', x(101)],
  ['metricsNamespace', ''],
  ['priceAudioInPerM', 10_000.5],
  ['priceAudioInPerM', '$3'],
  ['priceAudioInPerM', '.5.5'],
];

const show = (value: unknown) => JSON.stringify(value);

describe('a setting takes', () => {
  test.each(TAKEN.map((row) => [`${row[0]}=${show(row[1])}`, row] as const))(
    '%s',
    (_title, [name, given, becomes = given, others = {}]) => {
      expect(readSettings({ ...others, [name]: given })[name]).toEqual(becomes);
    },
  );

  test('no value: its default', () => {
    expect(readSettings({ voice: undefined, maxTasks: undefined })).toEqual(readSettings({}));
  });
});

describe('a setting does not take', () => {
  test.each(REFUSED.map((row) => [`${row[0]}=${show(row[1])}`, row] as const))(
    '%s',
    (_title, [name, given]) => {
      expect(() => readSettings({ [name]: given })).toThrow(
        `The setting "${name}" cannot be ${show(given)}: it must be `,
      );
    },
  );

  test('throws a SettingsError', () => {
    const read = () => readSettings({ maxTasks: 'many' });
    expect(read).toThrow(SettingsError);
    expect(read).toThrow(expect.objectContaining({ name: 'SettingsError' }));
  });
});

describe('a misspelt name', () => {
  test.each([
    ['MAXTASKS', 'maxTasks'],
    ['maxTaks', 'maxTasks'],
    ['axTasks', 'maxTasks'],
    ['maxTasksX', 'maxTasks'],
    ['xmaxTasks', 'maxTasks'],
    ['callPerTasks', 'callsPerTask'],
    ['alarmMail', 'alarmEmail'],
    ['bedrockRegion', 'bedrockRegions'],
    ['voic', 'voice'],
    ['MAXTASKSXXXX', 'maxTasks'],
    ['XXXXmaxTasks', 'maxTasks'],
    ['scheduleFour', 'schedules'],
  ])('%s suggests %s', (name, meant) => {
    expect(() => readSettings({ [name]: 1 })).toThrow(
      new SettingsError(`The setting "${name}" is unknown: did you mean "${meant}"?`),
    );
  });

  test.each(['schedulesXXXXX', 'XXXXXschedules', 'schXXXXXedules', 'foo', 'q', 'cost'])(
    '%s, too far from any name, suggests none',
    (name) => {
      expect(() => readSettings({ [name]: 1 })).toThrow(
        new SettingsError(
          `The setting "${name}" is unknown: docs/operations/configuration.md lists all settings.`,
        ),
      );
    },
  );
});
