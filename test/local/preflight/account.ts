// SPDX-License-Identifier: Apache-2.0

// The account of the tests of preflight: one in which everything is ready, and what can be wrong in it.

import { readSettings } from '../../../lib/settings/read-settings.js';
import { AwsError, type CheckResult, type Outside } from '../../../local/preflight/check.js';
import { runChecks } from '../../../local/preflight/run-checks.js';

const KEYS = { LIVEKIT_URL: 'wss://livekit.test', LIVEKIT_API_KEY: 'k', LIVEKIT_API_SECRET: 's' };
const GRANTED = {
  authorizationStatus: 'AUTHORIZED',
  entitlementAvailability: 'AVAILABLE',
  regionAvailability: 'AVAILABLE',
};
export const STREAMS = {
  QuotaName: 'Concurrent bidirectional streams for Amazon Nova Sonic',
  Value: 20,
};
const TOPIC = 'arn:aws:sns:us-east-1:111122223333:alarms';

export type Answers = Record<string, unknown>;

/** An account in which everything is ready. */
export const READY_ACCOUNT: Answers = {
  'sts get-caller-identity': { Account: '111122223333', Arn: 'arn:aws:iam::111122223333:user/op' },
  'ssm get-parameter': { Parameter: { Value: '28' } },
  'secretsmanager get-secret-value': { SecretString: JSON.stringify(KEYS) },
  'secretsmanager describe-secret': { Name: 'a' },
  'bedrock get-foundation-model-availability': GRANTED,
  'service-quotas list-service-quotas': { Quotas: [{ QuotaName: 'Other', Value: 1 }, STREAMS] },
  'service-quotas get-service-quota': { Quota: { QuotaName: 'vCPU', Value: 8 } },
  'cloudformation describe-stacks': { Stacks: [{}] },
  'cloudformation describe-stack-resources': {
    StackResources: [{ ResourceType: 'AWS::SNS::Topic', PhysicalResourceId: TOPIC }],
  },
  'iam get-role': { Role: {} },
  'sns list-subscriptions-by-topic': {
    Subscriptions: [{ Endpoint: 'ops@example.com', SubscriptionArn: `${TOPIC}:1` }],
  },
};

export const SETTINGS = { alarmEmail: 'ops@example.com' };

export function standIn(answers: Answers = {}, others: Partial<Outside> = {}) {
  const asked: string[] = [];
  const outside: Outside = {
    async aws(args) {
      asked.push(args.join(' '));
      const answer: unknown = { ...READY_ACCOUNT, ...answers }[args.slice(0, 2).join(' ')];
      if (answer instanceof Error) throw answer;
      return answer;
    },
    dockerPlatforms: async () => ['linux/amd64', 'linux/arm64'],
    livekit: async () => {},
    ...others,
  };
  return { outside, asked };
}

export const preflight = (
  answers?: Answers,
  settings = {},
  others?: Partial<Outside>,
): Promise<CheckResult[]> =>
  runChecks(readSettings({ ...SETTINGS, ...settings }), standIn(answers, others).outside);

export const refuse = async () => {
  throw new Error('401 Unauthorized\nmore');
};
export const error = (code: string) => new AwsError(code, `An error occurred (${code})`);

export const LANES = [
  { region: 'us-east-1' },
  { region: 'us-east-1', role: 'arn:aws:iam::111122223333:role/voice-lane', streams: 10 },
];

/** What goes wrong: the check, its sentence, what AWS answers, settings, and what else is different. */
export const PROBLEMS: [string, RegExp, Answers, object?, Partial<Outside>?][] = [
  [
    'bootstrap',
    /is not bootstrapped .*: run `npx cdk bootstrap`\.$/,
    { 'ssm get-parameter': error('ParameterNotFound') },
  ],
  [
    'bootstrap',
    /has version 5 and 6 is needed/,
    { 'ssm get-parameter': { Parameter: { Value: '5' } } },
  ],
  [
    'secret',
    /^There is no secret nova-sonic-agent\/livekit in this Region: create it/,
    { 'secretsmanager get-secret-value': error('ResourceNotFoundException') },
  ],
  [
    'secret',
    /has no LIVEKIT_API_KEY, LIVEKIT_API_SECRET: add/,
    { 'secretsmanager get-secret-value': { SecretString: '{"LIVEKIT_URL":"wss://a"}' } },
  ],
  [
    'secret',
    /^There is no secret weather\/key for WEATHER_API_KEY in this Region: create it/,
    { 'secretsmanager describe-secret': error('ResourceNotFoundException') },
    { secrets: { WEATHER_API_KEY: 'weather/key' } },
  ],
  [
    'secret',
    /^The secret crm has no key token for CRM_TOKEN: add it\.$/,
    {},
    { secrets: { CRM_TOKEN: { secret: 'crm', key: 'token' } } },
  ],
  ['secret', /is not JSON/, { 'secretsmanager get-secret-value': { SecretString: 'wss://a' } }],
  [
    'LiveKit',
    /^LiveKit at wss:\/\/livekit.test does not answer to these keys \(401 Unauthorized\): check/,
    {},
    {},
    { livekit: refuse },
  ],
  [
    'model',
    /^Your account has no access to amazon.nova-2-sonic-v1:0 in us-east-1: request/,
    {
      'bedrock get-foundation-model-availability': {
        ...GRANTED,
        entitlementAvailability: 'NOT_AVAILABLE',
      },
    },
  ],
  [
    'model',
    /^Bedrock in us-east-1 does not know/,
    { 'bedrock get-foundation-model-availability': error('ValidationException') },
  ],
  [
    'stream quota',
    /^Bedrock allows 20 streams in us-east-1, and MaxTasks x CallsPerTask needs 30: request more/,
    {},
    { maxTasks: 3, cpu: 1024 },
  ],
  [
    'stream quota',
    /and "schedules" x CallsPerTask needs 30: .* or lower "schedules"\.$/,
    {},
    { cpu: 1024, schedules: [{ cron: '0 8 ? * *', minTasks: 1, maxTasks: 3 }] },
  ],
  [
    'Fargate quota',
    /^Fargate allows 6 vCPUs, and 2 tasks need 8 during a deployment \(twice 4\): request/,
    { 'service-quotas get-service-quota': { Quota: { Value: 6 } } },
  ],
  [
    'Fargate quota',
    /^Fargate allows 8 vCPUs, and 3 tasks need 12 during .* or lower "schedules"\.$/,
    {},
    { callsPerTask: 5, schedules: [{ cron: '0 8 ? * *', minTasks: 1, maxTasks: 3 }] },
  ],
  ['Docker', /^Docker does not run on this machine: start it/, {}, {}, { dockerPlatforms: refuse }],
  [
    'Docker',
    /^Docker cannot build for linux\/arm64: run `docker run .* --install arm64`/,
    {},
    {},
    { dockerPlatforms: async () => ['linux/amd64'] },
  ],
  [
    'alarm address',
    /^ops@example.com has not confirmed/,
    {
      'sns list-subscriptions-by-topic': {
        Subscriptions: [{ Endpoint: 'ops@example.com', SubscriptionArn: 'PendingConfirmation' }],
      },
    },
  ],
];
