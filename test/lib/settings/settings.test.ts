// SPDX-License-Identifier: Apache-2.0

// Long because each invalid value stands here with its sentence.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { readSettings, SettingsError } from '../../../lib/settings/read-settings.js';
import { SETTING_NAMES, settingDetails } from '../../../lib/settings/settings.js';

const readText = (name: string) =>
  readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');

const mistakes = (context: Record<string, unknown>): string[] => {
  try {
    readSettings(context);
  } catch (error) {
    if (error instanceof SettingsError) return error.message.split('\n');
    throw error;
  }
  return [];
};

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

describe('settings that contradict each other', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ minTasks: 5, maxTasks: 4 }, '"minTasks" (5) cannot be above "maxTasks" (4).'],
    [
      { stopTimeoutSeconds: 600 },
      '"stopTimeoutSeconds" cannot be 600: Fargate kills a container 120 s after SIGTERM, and neither CDK nor CloudFormation rejects more; task protection keeps longer calls alive, not this.',
    ],
    [
      { stopTimeoutSeconds: 0 },
      '"stopTimeoutSeconds" cannot be 0: it must be at least 20, of which the last 10 are for closing streams.',
    ],
    [
      { stopTimeoutSeconds: 10 },
      '"stopTimeoutSeconds" cannot be 10: it must be at least 20, of which the last 10 are for closing streams.',
    ],
    [
      { bedrockRegions: 'us-east-1,eu-west-1' },
      'The Bedrock Region "eu-west-1" does not offer amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, eu-north-1, ap-northeast-1, or set "forceModel" to true if it does by now.',
    ],
    [
      { model: 'amazon.nova-sonic-v1:0' },
      'The model "amazon.nova-sonic-v1:0" reached its end of life on 2026-09-14 and Bedrock no longer serves it: use amazon.nova-2-sonic-v1:0, or set "forceModel" to true if your account still has it.',
    ],
    [
      { model: 'amazon.nova-3-sonic' },
      'The model "amazon.nova-3-sonic" is unknown: use amazon.nova-2-sonic-v1:0 or amazon.nova-2-5-sonic, or set "forceModel" to true if Bedrock has it.',
    ],
    [
      { cpu: 1024, memory: 16384 },
      '"memory" cannot be 16384 with "cpu" 1024: Fargate offers 2048 to 8192 MiB in steps of 1024 with it.',
    ],
    [
      { cpu: 256, memory: 1536, callsPerTask: 1 },
      '"memory" cannot be 1536 with "cpu" 256: Fargate offers 512 to 2048 MiB in steps of 512 with it.',
    ],
    [
      { callsPerTask: 17 },
      '"callsPerTask" cannot be 17 with "memory" 4096: 17 calls take 700 + 17 x 200 = 4100 MiB, so lower it to 16 or raise "memory".',
    ],
    [
      { schedules: [{ cron: '0 8 ? * MON-FRI', minTasks: 9, maxTasks: 3 }] },
      'In the schedule "0 8 ? * MON-FRI", "minTasks" (9) cannot be above "maxTasks" (3).',
    ],
    [
      { liveKitSecret: 'prod-secret' },
      '"liveKitSecret" cannot be the name "prod-secret", which ends in a hyphen and six characters like an ARN\'s suffix: give its complete ARN.',
    ],
    [
      {
        liveKitSecret: 'arn:aws:secretsmanager:eu-north-1:111122223333:secret:team/livekit-AbCdEf',
        secretKmsKey: 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555',
      },
      '"secretKmsKey" is in us-east-1 and "liveKitSecret" in eu-north-1: a secret is encrypted with a key of its own Region.',
    ],
    [
      { liveKitSecret: '' },
      '"liveKitSecret" cannot be "": give the name or the complete ARN of a secret in Secrets Manager.',
    ],
    [
      { model: 'eu.amazon.nova-2-sonic-v1:0' },
      'The Bedrock Region "us-east-1" does not offer eu.amazon.nova-2-sonic-v1:0: use some of eu-north-1, or set "forceModel" to true if it does by now.',
    ],
    [
      { cpu: 512, memory: 1536, callsPerTask: 1 },
      '"memory" cannot be 1536 with "cpu" 512: Fargate offers 1024 to 4096 MiB in steps of 1024 with it.',
    ],
    [{ subnetIds: 'subnet-01234567' }, '"subnetIds" needs "vpcId": subnets belong to a VPC.'],
    [
      { vpcId: 'vpc-01234567', natGateways: 1 },
      '"natGateways" is for a new VPC and cannot be set with "vpcId": an existing VPC has its own routes to the internet.',
    ],
    [
      { publicIp: false },
      '"publicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
    ],
    [
      { publicIp: true, natGateways: 1 },
      '"publicIp" cannot be true with "natGateways": the tasks are then in private subnets.',
    ],
    [
      { lanes: [{ region: 'us-east-1' }], bedrockRegions: 'us-west-2' },
      '"bedrockRegions" cannot be set with "lanes", which have their Regions: remove it.',
    ],
    [
      { lanes: [{ region: 'us-east-1' }, { region: 'us-east-1' }] },
      '"lanes" has us-east-1 twice: each account has one quota in a Region.',
    ],
    [
      { lanes: [{ region: 'eu-west-3' }] },
      'The Bedrock Region "eu-west-3" does not offer amazon.nova-2-sonic-v1:0: use some of us-east-1, us-west-2, eu-north-1, ap-northeast-1, or set "forceModel" to true if it does by now.',
    ],
    [
      { secrets: { LIVEKIT_API_SECRET: 'x' } },
      '"secrets" cannot have LIVEKIT_API_SECRET: it comes from the secret, from ECS or from another setting.',
    ],
    [
      { secrets: { CRM_TOKEN: 'crm' }, environment: { CRM_TOKEN: 'x' } },
      '"environment" and "secrets" cannot both have CRM_TOKEN: remove it from one of them.',
    ],
    [
      { secrets: { CRM_TOKEN: { secret: 'crm token' } } },
      '"secrets.CRM_TOKEN" cannot be "crm token": give the name or the complete ARN of a secret in Secrets Manager.',
    ],
    [
      {
        secrets: {
          CRM_TOKEN: {
            secret: 'arn:aws:secretsmanager:eu-north-1:111122223333:secret:crm-AbCdEf',
            kmsKey: 'arn:aws:kms:us-east-1:111122223333:key/0a1b',
          },
        },
      },
      '"secrets.CRM_TOKEN.kmsKey" is in us-east-1 and "secrets.CRM_TOKEN" in eu-north-1: a secret is encrypted with a key of its own Region.',
    ],
    [
      { image: `registry.test/voice@sha256:${'0a'.repeat(32)}`, baseImage: 'node:24' },
      '"baseImage" is for the image that is built and cannot be set with "image".',
    ],
    [
      { availabilityZones: 'us-east-1a,us-east-1b', vpcId: 'vpc-01234567' },
      '"availabilityZones" is for a new VPC and cannot be set with "vpcId": the subnets decide.',
    ],
    [
      { environment: { LIVEKIT_API_SECRET: 'x' } },
      '"environment" cannot have LIVEKIT_API_SECRET: it comes from the secret, from ECS or from another setting.',
    ],
  ])('%j', (context, sentence) => {
    expect(mistakes(context)).toEqual([sentence]);
  });

  test.each<[string, Record<string, unknown>]>([
    ['NAT gateways with private tasks', { natGateways: 2, publicIp: false }],
    ['public addresses in a new VPC', { publicIp: true }],
    ['public addresses in a VPC that exists', { vpcId: 'vpc-01234567', publicIp: true }],
    ['a VPC that exists without public addresses', { vpcId: 'vpc-01234567', publicIp: false }],
    [
      'a key in the Region of the secret',
      {
        liveKitSecret: 'arn:aws:secretsmanager:us-east-1:111122223333:secret:team/livekit-AbCdEf',
        secretKmsKey: 'arn:aws:kms:us-east-1:111122223333:key/0a1b2c3d-0000-1111-2222-333344445555',
      },
    ],
    [
      'a key with the name of a secret',
      { secretKmsKey: 'arn:aws:kms:eu-north-1:111122223333:key/0a1b' },
    ],
    ['as many calls as the memory holds', { callsPerTask: 16 }],
    ['equal bounds', { minTasks: 2, maxTasks: 2 }],
  ])('%s are accepted', (_what, context) => {
    expect(mistakes(context)).toEqual([]);
  });

  test('a forced model is accepted', () => {
    expect(mistakes({ model: 'amazon.nova-sonic-v1:0', forceModel: 'true' })).toEqual([]);
  });
});

describe('a deprecated name', () => {
  const read = (context: Record<string, unknown>) => {
    const warnings: string[] = [];
    return { settings: readSettings(context, (warning) => warnings.push(warning)), warnings };
  };

  test.each([
    ['secret', 'liveKitSecret', 'team/livekit', 'team/livekit'],
    ['targetSlotShare', 'targetSlotUtilization', '50', 50],
  ] as const)('"%s" still sets "%s", with one warning', (oldName, newName, given, becomes) => {
    const { settings, warnings } = read({ [oldName]: given });
    expect(settings).toEqual({ ...readSettings({}), [newName]: becomes });
    expect(warnings).toEqual([`"${oldName}" is deprecated and will be removed: use "${newName}".`]);
  });

  test('wins over the default that cdk.json gives the new name', () => {
    const { context } = JSON.parse(readText('cdk.json'));
    expect(read({ ...context, secret: 'team/livekit' }).settings.liveKitSecret).toBe(
      'team/livekit',
    );
  });

  test('beside another value of the new name is an error', () => {
    expect(mistakes({ secret: 'team/one', liveKitSecret: 'team/two' })).toEqual([
      '"secret" is the deprecated name of "liveKitSecret", and both are set: remove "secret".',
    ]);
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
    const { context } = JSON.parse(readText('cdk.json'));
    expect(readSettings(context)).toEqual(readSettings({}));
  });

  test('are all documented, also what happens without a value', () => {
    const defaults: Record<string, unknown> = readSettings({});
    for (const name of SETTING_NAMES) {
      const { meaning, unset } = settingDetails(name);
      expect(meaning).toMatch(/^[A-Z`].+[.*]$/);
      expect([name, unset === undefined]).toEqual([name, defaults[name] !== undefined]);
    }
  });
});
