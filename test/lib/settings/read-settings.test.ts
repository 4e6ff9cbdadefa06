// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { mistakes } from './setting-mistakes.js';

const cannotBe = (name: string, value: unknown, rest: string) =>
  `The setting "${name}" cannot be ${JSON.stringify(value)}: it must be ${rest}.`;

describe('an invalid setting', () => {
  test.each<[string, unknown, string]>([
    ['name', '1st', 'letters, digits and hyphens, a letter first, at most 50'],
    ['agentName', 'two words', 'letters, digits, dots, hyphens and underscores, at most 100'],
    [
      'bedrockRegions',
      'virginia',
      'AWS Regions in the order of their use, as a list or separated by commas, each once',
    ],
    [
      'bedrockRegions',
      'us-east-1,us-east-1',
      'AWS Regions in the order of their use, as a list or separated by commas, each once',
    ],
    [
      'bedrockRegions',
      [],
      'AWS Regions in the order of their use, as a list or separated by commas, each once',
    ],
    ['streamQuotaPerRegion', 0, 'a whole number from 1 to 100000 streams'],
    ['forceModel', 'yes', 'true or false'],
    [
      'voice',
      'Carlos',
      'one of tiffany, matthew, amy, olivia, kiara, arjun, ambre, florian, beatrice, lorenzo, tina, lennart, lupe, carlos, carolina, leo',
    ],
    ['renewAfterSeconds', 500, 'a whole number from 10 to 470 seconds'],
    ['maxCallSeconds', '1.5', 'a whole number from 60 to 86400 seconds'],
    ['secretKmsKey', 'alias/key', 'the ARN of a KMS key'],
    ['vpcId', 'vpc-1', 'the ID of a VPC'],
    ['natGateways', -1, 'a whole number from 0 to 2'],
    // An own VPC has two zones; a third gateway would not be made.
    ['natGateways', 3, 'a whole number from 0 to 2'],
    ['architecture', 'arm', 'one of arm64, x86_64'],
    ['cpu', 1000, 'one of 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units'],
    ['memory', '4 GB', 'a whole number from 512 to 122880 MiB'],
    ['minTasks', 0, 'a whole number from 1 to 500'],
    ['maxTasks', 'many', 'a whole number from 1 to 500'],
    ['callsPerTask', 0, 'a whole number from 1 to 100'],
    ['callsPerProcess', 0, 'a whole number from 1 to 100'],
    ['targetSlotUtilization', 95, 'a whole number from 10 to 80 percent'],
    ['alarmEmail', 'me', 'an e-mail address'],
    [
      'logRetentionDays',
      31,
      'one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653 days',
    ],
    ['logLevel', 'loud', 'one of trace, debug, info, warn, error, fatal'],
    ['containerInsights', true, 'one of off, on, enhanced'],
    ['metricsNamespace', 'AWS/ECS', 'letters, digits and ./#-_, at most 100'],
    ['priceAudioInPerM', -3, 'a price in USD per million tokens, from 0 to 10000'],
    ...['{"goodbye": 1}', { GOODBYE: { text: 'Bye' } }, 'GOODBYE=Bye', { GOODBYE: null }].map(
      (value): [string, unknown, string] => [
        'environment',
        value,
        'an object like {"END_CALL_TIMEOUT_S": "20"} with names in capitals and one value each',
      ],
    ),
    ['stopTimeoutSeconds', 'long', 'a whole number of seconds, at most 120'],
    ...[
      '{"key": "x"}',
      { KEY: 5 },
      { KEY: { name: 'x' } },
      { KEY: { secret: 'x', key: 'a:b' } },
    ].map((value): [string, unknown, string] => [
      'secrets',
      value,
      'an object like {"WEATHER_API_KEY": "weather/api-key", "CRM_TOKEN": {"secret": "crm", "key": "token"}} with names in capitals, and for each the name or ARN of a secret, with the JSON key and the ARN of its KMS key if it has them',
    ]),
    ...['us-east-1a', 'us-east-1,us-east-2', 'us-east-1a,us-east-1a'].map(
      (value): [string, unknown, string] => [
        'availabilityZones',
        value,
        'two or more Availability Zones of the Region, as a list or separated by commas, each once',
      ],
    ),
    [
      'image',
      'registry.test/voice:1',
      'a container image with its digest, like registry/name@sha256:…',
    ],
    ['ecsExec', 'maybe', 'true or false'],
    ['terminationProtection', 1, 'true or false'],
    ['baseImage', 'node:24-alpine', 'the name of a container image with glibc'],
    ['baseImage', 'my image', 'the name of a container image with glibc'],
    ['model', 'nova sonic', 'the ID of a Nova Sonic model'],
    ['liveKitSecret', 5, 'the name or ARN of a secret'],
    ['logKmsKey', 'my-key', 'the ARN of a KMS key'],
    ['publicIp', 1, 'true or false'],
    ['vpcEndpoints', 'on', 'true or false'],
    ['spot', 'no', 'true or false'],
    ['subnetIds', 'subnet-x', 'IDs of subnets, as a list or separated by commas, each once'],
    ['subnetIds', [], 'IDs of subnets, as a list or separated by commas, each once'],
    ['alarmEmail', 'a@example.com,b@example.com', 'an e-mail address'],
    ['metricsNamespace', 'two words', 'letters, digits and ./#-_, at most 100'],
    ['targetSlotUtilization', '60%', 'a whole number from 10 to 80 percent'],
    ['cpu', '2 vCPU', 'one of 256, 512, 1024, 2048, 4096, 8192, 16384 CPU units'],
    ...(['priceAudioOutPerM', 'priceTextInPerM', 'priceTextOutPerM'] as const).map(
      (name): [string, unknown, string] => [
        name,
        '3,5',
        'a price in USD per million tokens, from 0 to 10000',
      ],
    ),
  ])('%s=%j gets one sentence', (name, value, rest) => {
    expect(mistakes({ [name]: value })).toEqual([cannotBe(name, value, rest)]);
  });

  test.each([
    ['not JSON', 'at eight'],
    ['no question mark', [{ cron: '0 8 * * MON-FRI', minTasks: 1, maxTasks: 2 }]],
    ['an unknown time zone', [{ cron: '0 8 ? * *', timeZone: 'Berlin', minTasks: 1, maxTasks: 2 }]],
    ['an hour that no day has', [{ cron: '0 24 ? * *', minTasks: 1, maxTasks: 2 }]],
    ['a missing bound', [{ cron: '0 8 ? * *', minTasks: 1 }]],
    ['a misspelt bound', [{ cron: '0 8 ? * *', minTasks: 1, maxTask: 2 }]],
  ])('a schedule with %s gets one sentence', (_what, schedules) => {
    expect(mistakes({ schedules })).toEqual([
      cannotBe(
        'schedules',
        schedules,
        'a list like [{"cron": "0 8 ? * MON-FRI", "timeZone": "Europe/Berlin", "minTasks": 4, "maxTasks": 20}], where cron has five fields with a ? for the day of the month or of the week',
      ),
    ]);
  });

  test('that is misspelt suggests the closest name', () => {
    expect(mistakes({ maxTask: 5 })).toEqual([
      'The setting "maxTask" is unknown: did you mean "maxTasks"?',
    ]);
    expect(mistakes({ bedrockregion: 'us-east-1' })).toEqual([
      'The setting "bedrockregion" is unknown: did you mean "bedrockRegions"?',
    ]);
    expect(mistakes({ somethingElseAltogether: 1 })).toEqual([
      'The setting "somethingElseAltogether" is unknown: docs/operations/configuration.md lists all settings.',
    ]);
  });

  test.each([
    // Half of its letters are wrong, or four of them, and not more.
    ['vpcX', 'did you mean "vpcId"?'],
    ['vpc', 'docs/operations/configuration.md lists all settings.'],
    ['maxTasksWXYZ', 'did you mean "maxTasks"?'],
    ['maxTasksVWXYZ', 'docs/operations/configuration.md lists all settings.'],
  ])('%s: %s', (name, hint) => {
    expect(mistakes({ [name]: 1 })).toEqual([`The setting "${name}" is unknown: ${hint}`]);
  });

  test('without a value is not given', () => {
    expect(readSettings({ maxTasks: undefined })).toEqual(readSettings({}));
    expect(readSettings({ nonsense: undefined })).toEqual(readSettings({}));
  });

  test('with hyphens is reported, not ignored', () => {
    expect(mistakes({ 'max-tasks': 5, 'Alarm-Email': 'ops@example.com' })).toEqual([
      'The setting "max-tasks" is unknown: did you mean "maxTasks"?',
      'The setting "Alarm-Email" is unknown: did you mean "alarmEmail"?',
    ]);
  });

  test('is reported together with all others', () => {
    expect(mistakes({ minTasks: 'x', cpu: 3, maxTask: 1 })).toHaveLength(3);
  });
});

describe('settings', () => {
  test('are read the same from cdk.json and from -c, which gives text', () => {
    expect(
      readSettings({
        ...{ maxTasks: '7', spot: 'true', targetSlotUtilization: '50', priceTextInPerM: '0.5' },
        bedrockRegions: 'us-west-2, us-east-1',
        schedules: '[{"cron": "0 8 ? * *", "minTasks": 1, "maxTasks": 2}]',
      }),
    ).toEqual(
      readSettings({
        ...{ maxTasks: 7, spot: true, targetSlotUtilization: 50, priceTextInPerM: 0.5 },
        bedrockRegions: ['us-west-2', 'us-east-1'],
        schedules: [{ cron: '0 8 ? * *', minTasks: 1, maxTasks: 2 }],
      }),
    );
  });

  test("ignore the CDK's own context", () => {
    const theirs = {
      '@aws-cdk/core:explicitStackTags': true,
      'aws:cdk:toolkit:default-region': 'us-east-1',
      'availability-zones:account=1:region=us-east-1': ['us-east-1a'],
      'cli-telemetry': false,
    };
    expect(readSettings(theirs)).toEqual(readSettings({}));
  });

  test('in cdk.json equal the defaults', () => {
    const { context } = JSON.parse(
      readFileSync(new URL('../../../cdk.json', import.meta.url), 'utf8'),
    );
    expect(readSettings(context)).toEqual(readSettings({}));
  });
});
