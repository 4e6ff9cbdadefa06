// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { mistakes } from './setting-mistakes.js';

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
      { callsPerTask: 31 },
      '"callsPerTask" cannot be 31 with "memory" 4096: 31 calls take 300 + 4 x 150 + 31 x 40 = 2140 MiB, and half of the memory is for a process that grows, so lower it to 30 or raise "memory".',
    ],
    [
      { callsPerTask: 30, traces: 'xray' },
      '"callsPerTask" cannot be 30 with "memory" 4096, of which other containers take 256: 30 calls take 300 + 3 x 150 + 30 x 40 = 1950 MiB, and half of the memory is for a process that grows, so lower it to 29 or raise "memory".',
    ],
    [
      { callsPerTask: 19, callsPerProcess: 1 },
      '"callsPerTask" cannot be 19 with "memory" 4096: 19 calls take 300 + 21 x 150 + 19 x 40 = 4210 MiB, so lower it to 18 or raise "memory".',
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

test('settings that belong together are no contradiction', () => {
  const budget = { monthlyBudgetUsd: 500 };
  expect(mistakes(budget)).toEqual([
    '"monthlyBudgetUsd" needs "alarmEmail": somebody must be told.',
  ]);
  expect(mistakes({ ...budget, alarmEmail: 'ops@example.com' })).toEqual([]);
  expect(mistakes({ image: `team/agent@sha256:${'a'.repeat(64)}` })).toEqual([]);
  expect(mistakes({ baseImage: `node@sha256:${'a'.repeat(64)}` })).toEqual([]);
});
