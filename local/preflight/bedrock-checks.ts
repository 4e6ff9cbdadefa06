// SPDX-License-Identifier: Apache-2.0

import type { Settings } from '../../lib/settings/settings.js';
import { ask, type Check, CheckUnknown, failCheck, type Outside, taskLimit } from './check.js';

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
      : failCheck(
          `Your account has no access to ${modelId} in ${region}: request it in the Bedrock console of that Region.`,
        );
  };

interface Quota {
  readonly QuotaName: string;
  readonly Value: number;
}

async function streamsIn(region: string, outside: Outside): Promise<number> {
  const { Quotas } = await ask<{ Quotas: Quota[] }>(
    outside,
    ['service-quotas', 'list-service-quotas', '--service-code', 'bedrock', '--region', region],
    {},
  );
  const quota = Quotas.find(
    ({ QuotaName }) => /sonic/i.test(QuotaName) && /concurrent/i.test(QuotaName),
  );
  if (!quota)
    throw new CheckUnknown(
      `Service Quotas in ${region} lists no concurrent streams of Nova Sonic: ask AWS for the number, and set "streamQuotaPerRegion".`,
    );
  return quota.Value;
}

/** Streams of all Regions together: a call goes on to the next one when one is full. */
const streamQuota: Check = async (settings, outside) => {
  const { callsPerTask, bedrockRegions } = settings;
  const { tasks, name } = taskLimit(settings);
  const streams = await Promise.all(bedrockRegions.map((region) => streamsIn(region, outside)));
  const allowed = bedrockRegions
    .map((region, at) => `${streams[at]} streams in ${region}`)
    .join(' and ');
  const needed = tasks * callsPerTask;
  return streams.reduce((sum, count) => sum + count) >= needed
    ? `${allowed}, of which ${name} needs ${needed}.`
    : failCheck(
        `Bedrock allows ${allowed}, and ${name} x CallsPerTask needs ${needed}: request more in Service Quotas, add Regions to "bedrockRegions", or lower ${name}.`,
      );
};

/** Streams of all lanes, by what the settings say: AWS lists the quotas of the own account only. */
const laneStreams: Check = async (settings) => {
  const { callsPerTask, lanes = [], streamQuotaPerRegion } = settings;
  const { tasks, name } = taskLimit(settings);
  const streams = lanes.reduce((sum, lane) => sum + (lane.streams ?? streamQuotaPerRegion), 0);
  const needed = tasks * callsPerTask;
  return streams >= needed
    ? `${streams} streams in ${lanes.length} lanes, of which ${name} needs ${needed}.`
    : failCheck(
        `${lanes.length} lanes have ${streams} streams, and ${name} x CallsPerTask needs ${needed}: add accounts or Regions to "lanes", or lower ${name}.`,
      );
};

/** What a role in another account allows shows only there. */
const laneRole =
  (role: string): Check =>
  async (_settings, outside) => {
    const [account, name] = [role.split(':')[4], role.split('/').at(-1)];
    const own = await ask<{ Account: string }>(outside, ['sts', 'get-caller-identity'], {});
    if (own.Account !== account)
      throw new CheckUnknown(
        `Your credentials are of account ${own.Account}: check ${role} with those of ${account} (\`aws iam get-role --role-name ${name}\`).`,
      );
    await ask(outside, ['iam', 'get-role', '--role-name', name ?? ''], {
      NoSuchEntity: `There is no role ${role}: deploy BedrockLaneRole in account ${account}, or remove its lanes.`,
    });
    return `${role} is there.`;
  };

export const regionChecks = (regions: readonly string[]): [string, Check][] => [
  ...regions.map((region): [string, Check] => ['model', modelAccess(region)]),
  ['stream quota', streamQuota],
];

export function laneChecks(lanes: NonNullable<Settings['lanes']>): [string, Check][] {
  const own = lanes.flatMap(({ region, role }) => (role ? [] : [region]));
  const roles = [...new Set(lanes.flatMap(({ role }) => role ?? []))];
  return [
    ...own.map((region): [string, Check] => ['model', modelAccess(region)]),
    ...roles.map((role): [string, Check] => ['lane role', laneRole(role)]),
    ['stream quota', laneStreams],
  ];
}
