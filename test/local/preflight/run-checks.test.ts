// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { readSettings } from '../../../lib/settings/read-settings.js';
import { runChecks } from '../../../local/preflight/run-checks.js';
import { settingsFrom } from '../../../local/preflight.js';
import {
  type Answers,
  error,
  LANES,
  PROBLEMS,
  preflight,
  READY_ACCOUNT,
  refuse,
  SETTINGS,
  STREAMS,
  standIn,
} from './account.js';

describe('preflight', () => {
  test('finds nothing to do where everything is ready, in one line each', async () => {
    expect(await preflight()).toEqual(
      [
        ['credentials', 'Account 111122223333, as arn:aws:iam::111122223333:user/op.'],
        ['bootstrap', 'Version 28.'],
        ['secret', 'nova-sonic-agent/livekit has its three keys.'],
        ['LiveKit', 'wss://livekit.test answers to the keys.'],
        ['model', 'amazon.nova-2-sonic-v1:0 may be called in us-east-1.'],
        ['stream quota', '20 streams in us-east-1, of which MaxTasks needs 20.'],
        ['Fargate quota', '8 vCPUs, of which MaxTasks needs 8 during a deployment.'],
        ['Docker', 'It builds for linux/arm64.'],
        ['alarm address', 'ops@example.com is confirmed.'],
      ].map(([check, sentence]) => ({ check, state: 'ok', sentence })),
    );
  });

  test('looks for the secrets of tools, and reads only those of which it needs a key', async () => {
    const { outside, asked } = standIn();
    const secrets = { A_TOKEN: 'a', URL: { secret: 'b', key: 'LIVEKIT_URL' } };
    const findings = await runChecks(readSettings({ secrets }), outside);
    expect(findings.filter(({ check }) => check === 'secret').slice(1)).toEqual([
      { check: 'secret', state: 'ok', sentence: 'a is there for A_TOKEN.' },
      { check: 'secret', state: 'ok', sentence: 'b is there for URL.' },
    ]);
    expect(asked).toContain('secretsmanager describe-secret --secret-id a');
    expect(asked).not.toContain('secretsmanager get-secret-value --secret-id a');
  });

  test('asks each Region, and for the model behind a profile', async () => {
    const { outside, asked } = standIn();
    const settings = {
      bedrockRegions: 'us-east-1,us-west-2',
      model: 'us.amazon.nova-2-sonic-v1:0',
    };
    const findings = await runChecks(readSettings({ ...SETTINGS, ...settings }), outside);
    expect(findings.filter(({ check }) => check === 'model')).toHaveLength(2);
    for (const region of ['us-east-1', 'us-west-2'])
      expect(asked).toContain(
        `bedrock get-foundation-model-availability --model-id amazon.nova-2-sonic-v1:0 --region ${region}`,
      );
  });

  test('counts the streams of all Regions together, however they are spread', async () => {
    const quota = async (eastern: number) => {
      const { outside } = standIn();
      const aws: typeof outside.aws = async (args) =>
        args.includes('list-service-quotas')
          ? { Quotas: [{ ...STREAMS, Value: args.includes('us-east-1') ? eastern : 80 }] }
          : outside.aws(args);
      const settings = readSettings({
        ...{ bedrockRegions: 'us-east-1,us-west-2', callsPerTask: 10, maxTasks: 10 },
      });
      const findings = await runChecks(settings, { ...outside, aws });
      return findings.filter(({ check }) => check === 'stream quota');
    };
    expect(await quota(20)).toEqual([
      {
        check: 'stream quota',
        state: 'ok',
        sentence:
          '20 streams in us-east-1 and 80 streams in us-west-2, of which MaxTasks needs 100.',
      },
    ]);
    expect((await quota(19))[0]?.state).toBe('failed');
  });

  test('goes by the parameters of a stack that is deployed, unless a setting is given', async () => {
    const Parameters = [
      { ParameterKey: 'MaxTasks', ParameterValue: '4' },
      { ParameterKey: 'LiveKitSecretArn', ParameterValue: 'arn:aws:secretsmanager:…' },
    ];
    const { outside, asked } = standIn({
      'cloudformation describe-stacks': { Stacks: [{ Parameters }] },
    });
    const quota = async (given?: Set<string>) =>
      (await runChecks(readSettings(SETTINGS), outside, given)).find(
        ({ check }) => check === 'Fargate quota',
      )?.sentence;
    expect(await quota()).toMatch(/^Fargate allows 8 vCPUs, and 4 tasks need 16/);
    expect(asked).toContain('secretsmanager get-secret-value --secret-id arn:aws:secretsmanager:…');
    expect(await quota(new Set(['maxTasks']))).toMatch(/^8 vCPUs, of which MaxTasks needs 8/);
  });

  test('counts the streams of all lanes, and looks at their roles', async () => {
    const found = async (answers: Answers = {}, lanes: object[] = LANES) =>
      (await preflight(answers, { lanes, callsPerTask: 15 }))
        .filter(({ check }) => /^(model|lane role|stream quota)$/.test(check))
        .map(({ check, state, sentence }) => `${check} ${state}: ${sentence}`);
    const role = 'arn:aws:iam::111122223333:role/voice-lane';
    const model = 'model ok: amazon.nova-2-sonic-v1:0 may be called in us-east-1.';
    const enough = 'stream quota ok: 30 streams in 2 lanes, of which MaxTasks needs 30.';
    expect(await found()).toEqual([model, `lane role ok: ${role} is there.`, enough]);
    expect(await found({ 'iam get-role': error('NoSuchEntity') })).toEqual([
      model,
      `lane role failed: There is no role ${role}: deploy BedrockLaneRole in account 111122223333, or remove its lanes.`,
      enough,
    ]);
    const other = { 'sts get-caller-identity': { Account: '999900001111', Arn: 'arn' } };
    expect((await found(other))[1]).toBe(
      `lane role unknown: Your credentials are of account 999900001111: check ${role} with those of 111122223333 (\`aws iam get-role --role-name voice-lane\`).`,
    );
    expect((await found({}, LANES.slice(1)))[1]).toBe(
      'stream quota failed: 1 lanes have 10 streams, and MaxTasks x CallsPerTask needs 30: add accounts or Regions to "lanes", or lower MaxTasks.',
    );
  });

  test('reads and never changes anything', async () => {
    const { outside, asked } = standIn();
    await runChecks(readSettings(SETTINGS), outside);
    for (const command of asked) expect(command).toMatch(/^[\w-]+ (get|list|describe)-/);
  });

  test.each(PROBLEMS.map((row) => ({ row, title: `${row[0]}: ${row[1].source}` })))(
    'says what is wrong and what to do: $title',
    async ({ row: [check, sentence, answers, settings, others] }) => {
      const findings = await preflight(answers, settings, others);
      const failed = findings.filter(({ state }) => state === 'failed');
      expect(failed.map((finding) => finding.check)).toEqual([check]);
      expect(failed[0]?.sentence).toMatch(sentence);
    },
  );

  test.each<[string, Answers, object]>([
    ['an image that is built already', {}, { image: `registry.test/a@sha256:${'0'.repeat(64)}` }],
    [
      'AWS asks ops@example.com to confirm after the first deployment.',
      { 'cloudformation describe-stack-resources': error('ValidationError') },
      {},
    ],
    [
      'AWS asks ops@example.com to confirm after this deployment.',
      { 'cloudformation describe-stack-resources': { StackResources: [] } },
      {},
    ],
    [
      'AWS asks ops@example.com to confirm after this deployment.',
      { 'sns list-subscriptions-by-topic': { Subscriptions: [] } },
      {},
    ],
  ])('lets a deployment go on: %s', async (_what, answers, settings) => {
    const findings = await preflight(
      answers,
      settings,
      'image' in settings ? { dockerPlatforms: refuse } : {},
    );
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([]);
  });

  test('does not fail on what it may not look up, or on alarms for nobody', async () => {
    const answers = {
      'service-quotas get-service-quota': error('AccessDeniedException'),
      'service-quotas list-service-quotas': { Quotas: [] },
    };
    const findings = await preflight(answers, { alarmEmail: undefined });
    expect(findings.filter(({ state }) => state !== 'ok')).toEqual([
      {
        check: 'stream quota',
        state: 'unknown',
        sentence: expect.stringMatching(/lists no concurrent streams of Nova Sonic: ask AWS/),
      },
      {
        check: 'Fargate quota',
        state: 'unknown',
        sentence: expect.stringMatching(/may not run `aws service-quotas get-service-quota`/),
      },
      {
        check: 'alarm address',
        state: 'unknown',
        sentence: 'Nobody hears of an alarm: set "alarmEmail" to the address of who is on call.',
      },
    ]);
  });

  test.each([
    ['a secret without its keys', (check: string) => check !== 'LiveKit'],
    ['a server that does not answer', (check: string) => check !== 'secret'],
  ])('tells everything at once when everything is wrong: %s', async (_what, takes) => {
    // The first thing that goes wrong of each kind, all together.
    const wrong = [...new Map(PROBLEMS.toReversed().map((row) => [row[0], row])).values()].filter(
      ([check]) => takes(check),
    );
    const [answers, settings, others] = [2, 3, 4].map((column) =>
      Object.assign({}, ...wrong.map((row) => row[column])),
    );
    const findings = await preflight(answers, { ...settings, maxTasks: 4 }, others);
    const failed = findings.filter(({ state }) => state === 'failed');
    expect(failed.map(({ check }) => check).sort()).toEqual(wrong.map(([check]) => check).sort());
    for (const [check, sentence] of wrong.filter(([name]) => !/quota/.test(name)))
      expect(failed.find((one) => one.check === check)?.sentence).toMatch(sentence);
    for (const { sentence } of failed) expect(sentence).toMatch(/^[^\n]+: [^\n]+\.$/);
  });

  test('says of each check that it could not be made when nobody is signed in', async () => {
    const nothing = Object.fromEntries(
      Object.keys(READY_ACCOUNT).map((command) => [
        command,
        new Error('Unable to locate credentials'),
      ]),
    );
    const findings = await preflight(nothing, {}, { dockerPlatforms: refuse, livekit: refuse });
    expect(findings).toHaveLength(9);
    expect(findings.map(({ state }) => state)).not.toContain('ok');
    expect(findings[0]?.sentence).toBe(
      'It could not be checked (Unable to locate credentials): sign in to AWS with `aws sso login` or `aws configure`, and set AWS_REGION.',
    );
    for (const { sentence } of findings)
      expect(sentence).toMatch(/^[^\n]+: [^\n]+\.$|^It cannot be asked/);
  });
});

describe('settings of the command line', () => {
  test('are added to those of cdk.json', () => {
    expect(settingsFrom(['maxTasks=7', 'environment={"A":"b=c"}'])).toMatchObject({
      maxTasks: 7,
      environment: { A: 'b=c' },
    });
    expect(() => settingsFrom(['maxTasks'])).toThrow(
      '"maxTasks" is not a setting: write name=value.',
    );
  });
});
