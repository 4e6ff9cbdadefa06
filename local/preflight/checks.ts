// SPDX-License-Identifier: Apache-2.0

// Long because every check stands here, with its sentences.

import { CREDENTIAL_KEYS } from '../../lib/access/livekit-credentials.js';
import type { Settings } from '../../lib/settings/settings.js';

/** What a check found. */
export interface CheckResult {
  readonly check: string;
  /** `unknown`: it could not be looked up, which does not stop a deployment. */
  readonly state: 'ok' | 'failed' | 'unknown';
  /** One sentence: what is there, or what is wrong and what to do. */
  readonly sentence: string;
}

/** What the checks need from the outside; tests pass stand-ins. */
export interface Outside {
  /** Runs `aws` with the operator's credentials. @throws AwsError when the command fails */
  aws(args: readonly string[]): Promise<unknown>;
  /** Platforms that Docker builds for, such as linux/arm64. @throws when Docker does not run */
  dockerPlatforms(): Promise<readonly string[]>;
  /** Asks the LiveKit server something with these keys. @throws when it does not answer or refuses them */
  livekit(url: string, apiKey: string, apiSecret: string): Promise<void>;
}

/** A failed `aws` command: the name of the error as AWS has it, like ResourceNotFoundException. */
export class AwsError extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/** Version of the bootstrap stack that templates of this CDK need. */
const BOOTSTRAP_VERSION = 6;
/** Service Quotas: "Fargate On-Demand vCPU resource count" and "Fargate Spot vCPU resource count". */
const FARGATE_QUOTA = { onDemand: 'L-3032A538', spot: 'L-36FBB829' };

type Check = (settings: Settings, outside: Outside) => Promise<string>;

/** A problem, in one sentence. */
class Problem extends Error {}
/** Something that could not be looked up, in one sentence. */
class Unknown extends Error {}

const problem = (sentence: string): never => {
  throw new Problem(sentence);
};

/** Turns the error of AWS into one sentence about what was asked. */
async function ask<T>(
  outside: Outside,
  args: readonly string[],
  sentences: Record<string, string>,
): Promise<T> {
  try {
    return (await outside.aws(args)) as T;
  } catch (error) {
    if (!(error instanceof AwsError)) throw error;
    const known = sentences[error.code];
    if (known) throw new Problem(known);
    if (/AccessDenied/.test(error.code))
      throw new Unknown(
        `Your credentials may not run \`aws ${args.slice(0, 2).join(' ')}\`: allow it, or check this by hand.`,
      );
    throw error;
  }
}

const credentials: Check = async (_settings, outside) => {
  const { Account, Arn } = await ask<{ Account: string; Arn: string }>(
    outside,
    ['sts', 'get-caller-identity'],
    {},
  );
  return `Account ${Account}, as ${Arn}.`;
};

const bootstrap: Check = async (_settings, outside) => {
  const { Parameter } = await ask<{ Parameter: { Value: string } }>(
    outside,
    ['ssm', 'get-parameter', '--name', '/cdk-bootstrap/hnb659fds/version'],
    { ParameterNotFound: 'The account is not bootstrapped for the CDK: run `npx cdk bootstrap`.' },
  );
  return Number(Parameter.Value) >= BOOTSTRAP_VERSION
    ? `Version ${Parameter.Value}.`
    : problem(
        `The bootstrap stack has version ${Parameter.Value} and ${BOOTSTRAP_VERSION} is needed: run \`npx cdk bootstrap\` again.`,
      );
};

/** The three values of the secret of LiveKit. */
async function readKeys({ liveKitSecret }: Settings, outside: Outside): Promise<string[]> {
  const { SecretString } = await ask<{ SecretString?: string }>(
    outside,
    ['secretsmanager', 'get-secret-value', '--secret-id', liveKitSecret],
    {
      ResourceNotFoundException: `There is no secret ${liveKitSecret} in this Region: create it as docs/operations/deploy.md says.`,
    },
  );
  let values: Record<string, unknown> = {};
  try {
    values = Object(JSON.parse(SecretString ?? '')) as Record<string, unknown>;
  } catch {
    problem(
      `The secret ${liveKitSecret} is not JSON: it needs the keys ${CREDENTIAL_KEYS.join(', ')}.`,
    );
  }
  const missing = CREDENTIAL_KEYS.filter((key) => !String(values[key] ?? '').trim());
  if (missing.length > 0)
    problem(`The secret ${liveKitSecret} has no ${missing.join(', ')}: add what is missing.`);
  return CREDENTIAL_KEYS.map((key) => String(values[key]));
}

const secret: Check = async (settings, outside) => {
  await readKeys(settings, outside);
  return `${settings.liveKitSecret} has its three keys.`;
};

const livekit: Check = async (settings, outside) => {
  let keys: string[];
  try {
    keys = await readKeys(settings, outside);
  } catch {
    throw new Unknown('It cannot be asked without its secret.');
  }
  const [url = '', apiKey = '', apiSecret = ''] = keys;
  try {
    await outside.livekit(url, apiKey, apiSecret);
  } catch (error) {
    problem(
      `LiveKit at ${url} does not answer to these keys (${firstLine(error)}): check LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the secret.`,
    );
  }
  return `${url} answers to the keys.`;
};

interface Availability {
  readonly authorizationStatus: string;
  readonly entitlementAvailability: string;
  readonly regionAvailability: string;
}

/** One for each Region. The request costs nothing. */
const modelAccess =
  (region: string): Check =>
  async ({ model }, outside) => {
    // A profile routes to the model whose ID ends its own.
    const modelId = model.replace(/^(us|eu|apac|jp|global)\./, '');
    const answer = await ask<Availability>(
      outside,
      [
        ...['bedrock', 'get-foundation-model-availability'],
        ...['--model-id', modelId, '--region', region],
      ],
      {
        ValidationException: `Bedrock in ${region} does not know ${modelId}: remove the Region from "bedrockRegions", or change "model".`,
        ResourceNotFoundException: `Bedrock in ${region} does not have ${modelId}: remove the Region from "bedrockRegions", or change "model".`,
      },
    );
    const granted =
      answer.authorizationStatus === 'AUTHORIZED' &&
      answer.entitlementAvailability === 'AVAILABLE' &&
      answer.regionAvailability === 'AVAILABLE';
    return granted
      ? `${modelId} may be called in ${region}.`
      : problem(
          `Your account has no access to ${modelId} in ${region}: request it in the Bedrock console of that Region.`,
        );
  };

interface Quota {
  readonly QuotaName: string;
  readonly Value: number;
}

const streamQuota =
  (region: string): Check =>
  async ({ maxTasks, callsPerTask, bedrockRegions }, outside) => {
    const { Quotas } = await ask<{ Quotas: Quota[] }>(
      outside,
      ['service-quotas', 'list-service-quotas', '--service-code', 'bedrock', '--region', region],
      {},
    );
    const quota = Quotas.find(
      ({ QuotaName }) => /sonic/i.test(QuotaName) && /concurrent/i.test(QuotaName),
    );
    if (!quota)
      throw new Unknown(
        `Service Quotas in ${region} lists no concurrent streams of Nova Sonic: ask AWS for the number, and set "streamQuotaPerRegion".`,
      );
    const needed = Math.ceil((maxTasks * callsPerTask) / bedrockRegions.length);
    return quota.Value >= needed
      ? `${quota.Value} streams in ${region}, of which MaxTasks needs ${needed}.`
      : problem(
          `${region} allows ${quota.Value} streams, and MaxTasks x CallsPerTask needs ${needed} of it: request more in Service Quotas, add Regions to "bedrockRegions", or lower MaxTasks.`,
        );
  };

/** Streams of all lanes, by what the settings say: AWS lists the quotas of the own account only. */
const laneStreams: Check = async ({ maxTasks, callsPerTask, lanes = [], streamQuotaPerRegion }) => {
  const streams = lanes.reduce((sum, lane) => sum + (lane.streams ?? streamQuotaPerRegion), 0);
  const needed = maxTasks * callsPerTask;
  return streams >= needed
    ? `${streams} streams in ${lanes.length} lanes, of which MaxTasks needs ${needed}.`
    : problem(
        `${lanes.length} lanes have ${streams} streams, and MaxTasks x CallsPerTask needs ${needed}: add accounts or Regions to "lanes", or lower MaxTasks.`,
      );
};

/** What a role in another account allows shows only there. */
const laneRole =
  (role: string): Check =>
  async (_settings, outside) => {
    const [account, name] = [role.split(':')[4], role.split('/').at(-1)];
    const own = await ask<{ Account: string }>(outside, ['sts', 'get-caller-identity'], {});
    if (own.Account !== account)
      throw new Unknown(
        `Your credentials are of account ${own.Account}: check ${role} with those of ${account} (\`aws iam get-role --role-name ${name}\`).`,
      );
    await ask(outside, ['iam', 'get-role', '--role-name', name ?? ''], {
      NoSuchEntity: `There is no role ${role}: deploy BedrockLaneRole in account ${account}, or remove its lanes.`,
    });
    return `${role} is there.`;
  };

const fargateQuota: Check = async ({ maxTasks, cpu, spot }, outside) => {
  const { Quota } = await ask<{ Quota: Quota }>(
    outside,
    [
      ...['service-quotas', 'get-service-quota', '--service-code', 'fargate'],
      ...['--quota-code', spot ? FARGATE_QUOTA.spot : FARGATE_QUOTA.onDemand],
    ],
    {},
  );
  // Twice: old tasks stay until their calls have ended.
  const needed = (2 * maxTasks * cpu) / 1024;
  return Quota.Value >= needed
    ? `${Quota.Value} vCPUs, of which MaxTasks needs ${needed} during a deployment.`
    : problem(
        `Fargate allows ${Quota.Value} vCPUs, and ${maxTasks} tasks need ${needed} during a deployment (twice ${needed / 2}): request more in Service Quotas, or lower MaxTasks.`,
      );
};

const docker: Check = async ({ image, architecture }, outside) => {
  if (image) return 'Not needed: "image" is built already.';
  const platform = architecture === 'x86_64' ? 'linux/amd64' : 'linux/arm64';
  let platforms: readonly string[];
  try {
    platforms = await outside.dockerPlatforms();
  } catch {
    return problem('Docker does not run on this machine: start it, or set "image".');
  }
  return platforms.includes(platform)
    ? `It builds for ${platform}.`
    : problem(
        `Docker cannot build for ${platform}: run \`docker run --privileged --rm tonistiigi/binfmt --install ${platform.slice(6)}\`, or change "architecture".`,
      );
};

interface StackResource {
  readonly ResourceType: string;
  readonly PhysicalResourceId?: string;
}
interface Subscription {
  readonly Endpoint: string;
  readonly SubscriptionArn: string;
}

const alarmAddress: Check = async ({ name, alarmEmail }, outside) => {
  if (!alarmEmail)
    throw new Unknown(
      'Nobody hears of an alarm: set "alarmEmail" to the address of who is on call.',
    );
  let resources: StackResource[];
  try {
    const answer = await outside.aws([
      ...['cloudformation', 'describe-stack-resources', '--stack-name', name],
    ]);
    resources = (answer as { StackResources: StackResource[] }).StackResources;
  } catch (error) {
    if (error instanceof AwsError && error.code === 'ValidationError')
      return `AWS asks ${alarmEmail} to confirm after the first deployment.`;
    throw error;
  }
  const topic = resources.find(({ ResourceType }) => ResourceType === 'AWS::SNS::Topic');
  if (!topic?.PhysicalResourceId) return `AWS asks ${alarmEmail} to confirm after this deployment.`;
  const { Subscriptions } = await ask<{ Subscriptions: Subscription[] }>(
    outside,
    ['sns', 'list-subscriptions-by-topic', '--topic-arn', topic.PhysicalResourceId],
    {},
  );
  const ours = Subscriptions.find(({ Endpoint }) => Endpoint === alarmEmail);
  if (!ours) return `AWS asks ${alarmEmail} to confirm after this deployment.`;
  return ours.SubscriptionArn.startsWith('arn:')
    ? `${alarmEmail} is confirmed.`
    : problem(`${alarmEmail} has not confirmed its subscription: open the link in AWS's e-mail.`);
};

function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}

interface StackParameter {
  readonly ParameterKey: string;
  readonly ParameterValue: string;
}

/** The settings with the values that the parameters of a deployed stack have, which the next deployment keeps. */
async function withParameters(
  settings: Settings,
  outside: Outside,
  given: ReadonlySet<string>,
): Promise<Settings> {
  let parameters: StackParameter[];
  try {
    const answer = await outside.aws([
      ...['cloudformation', 'describe-stacks', '--stack-name', settings.name],
    ]);
    parameters =
      (answer as { Stacks: { Parameters?: StackParameter[] }[] }).Stacks[0]?.Parameters ?? [];
  } catch {
    // Before the first deployment there is none; other reasons show in the checks.
    return settings;
  }
  const value = (key: string) =>
    parameters.find(({ ParameterKey }) => ParameterKey === key)?.ParameterValue;
  const number = (name: 'maxTasks' | 'callsPerTask', key: string) =>
    given.has(name) ? settings[name] : Number(value(key) ?? settings[name]);
  return {
    ...settings,
    maxTasks: number('maxTasks', 'MaxTasks'),
    callsPerTask: number('callsPerTask', 'CallsPerTask'),
    ...(!given.has('liveKitSecret') && {
      liveKitSecret: value('LiveKitSecretArn') || settings.liveKitSecret,
    }),
  };
}

const regionChecks = (regions: readonly string[]): [string, Check][] =>
  regions.flatMap((region): [string, Check][] => [
    ['model', modelAccess(region)],
    ['stream quota', streamQuota(region)],
  ]);

function laneChecks(lanes: NonNullable<Settings['lanes']>): [string, Check][] {
  const own = lanes.flatMap(({ region, role }) => (role ? [] : [region]));
  const roles = [...new Set(lanes.flatMap(({ role }) => role ?? []))];
  return [
    ...own.map((region): [string, Check] => ['model', modelAccess(region)]),
    ...roles.map((role): [string, Check] => ['lane role', laneRole(role)]),
    ['stream quota', laneStreams],
  ];
}

/**
 * Runs every check, also when one before it failed.
 * @param given names of settings that win over the parameters of a deployed stack
 * @returns the findings in a fixed order
 */
export async function runChecks(
  configured: Settings,
  outside: Outside,
  given: ReadonlySet<string> = new Set(),
): Promise<CheckResult[]> {
  const settings = await withParameters(configured, outside, given);
  const checks: [string, Check][] = [
    ['credentials', credentials],
    ['bootstrap', bootstrap],
    ['secret', secret],
    ['LiveKit', livekit],
    ...(settings.lanes ? laneChecks(settings.lanes) : regionChecks(settings.bedrockRegions)),
    ['Fargate quota', fargateQuota],
    ['Docker', docker],
    ['alarm address', alarmAddress],
  ];
  return Promise.all(
    checks.map(async ([check, run]): Promise<CheckResult> => {
      try {
        return { check, state: 'ok', sentence: await run(settings, outside) };
      } catch (error) {
        if (error instanceof Problem) return { check, state: 'failed', sentence: error.message };
        if (error instanceof Unknown) return { check, state: 'unknown', sentence: error.message };
        const sentence = `It could not be checked (${firstLine(error)}): sign in to AWS with \`aws sso login\` or \`aws configure\`, and set AWS_REGION.`;
        return { check, state: 'failed', sentence };
      }
    }),
  );
}
