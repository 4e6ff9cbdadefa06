// SPDX-License-Identifier: Apache-2.0

import { validateSecret } from '../access/container-secret.js';
import { validateLanes } from '../access/nova-sonic-lanes.js';
import { DEFAULT_REGIONS, validateModel } from '../access/nova-sonic-models.js';
import { validateEnvironment, validateVariables } from '../service/container-environment.js';
import { validateCallsPerTask, validateTaskSize } from '../service/task-size.js';
import { validateStopTimeout, validateTaskCounts } from '../service-limits.js';
import { memoryOfOthers } from './cloudformation-parameters.js';
import type { Settings } from './settings.js';

/** Checks values that are each valid by themselves. @returns one sentence for each problem */
export function validateCombinations(settings: Settings): string[] {
  const { cpu, memory, callsPerTask, minTasks, maxTasks, vpcId, natGateways } = settings;
  const size = validateTaskSize(cpu, memory);
  const problems = [
    ...(settings.forceModel ? [] : validateModel(settings.model, regionsOf(settings))),
    settings.lanes && validateLanes(settings.lanes),
    settings.lanes &&
      settings.bedrockRegions.join() !== DEFAULT_REGIONS.join() &&
      '"bedrockRegions" cannot be set with "lanes", which have their Regions: remove it.',
    size ??
      validateCallsPerTask(
        callsPerTask,
        memory,
        settings.callsPerProcess,
        memoryOfOthers(settings),
      ),
    validateStopTimeout(settings.stopTimeoutSeconds),
    validateTaskCounts(minTasks, maxTasks),
    validateSecret(settings.liveKitSecret, 'liveKitSecret'),
    ...settings.schedules.map((entry) => {
      const problem = validateTaskCounts(entry.minTasks, entry.maxTasks);
      return problem && `In the schedule "${entry.cron}", ${problem}`;
    }),
    ...validateEnvironment(settings.environment),
    ...validateVariables(settings.secrets, 'secrets'),
    ...Object.entries(settings.secrets).flatMap(([variable, { secret }]) => [
      validateSecret(secret, `secrets.${variable}`),
      variable in settings.environment &&
        `"environment" and "secrets" cannot both have ${variable}: remove it from one of them.`,
    ]),
    validateKeyRegion(
      'secretKmsKey',
      'liveKitSecret',
      settings.secretKmsKey,
      settings.liveKitSecret,
    ),
    ...Object.entries(settings.secrets).map(([variable, { secret, kmsKey }]) =>
      validateKeyRegion(`secrets.${variable}.kmsKey`, `secrets.${variable}`, kmsKey, secret),
    ),
    settings.monthlyBudgetUsd &&
      !settings.alarmEmail &&
      '"monthlyBudgetUsd" needs "alarmEmail": somebody must be told.',
    settings.image &&
      settings.baseImage &&
      '"baseImage" is for the image that is built and cannot be set with "image".',
    settings.availabilityZones &&
      vpcId &&
      '"availabilityZones" is for a new VPC and cannot be set with "vpcId": the subnets decide.',
    settings.subnetIds && !vpcId && '"subnetIds" needs "vpcId": subnets belong to a VPC.',
    vpcId &&
      natGateways > 0 &&
      '"natGateways" is for a new VPC and cannot be set with "vpcId": an existing VPC has its own routes to the internet.',
    !vpcId &&
      natGateways === 0 &&
      settings.publicIp === false &&
      '"publicIp" cannot be false with 0 "natGateways": the tasks could not reach LiveKit.',
    !vpcId &&
      natGateways > 0 &&
      settings.publicIp === true &&
      '"publicIp" cannot be true with "natGateways": the tasks are then in private subnets.',
  ];
  return problems.filter((problem): problem is string => Boolean(problem));
}

const regionsOf = ({ lanes, bedrockRegions }: Settings): string[] =>
  lanes ? [...new Set(lanes.map(({ region }) => region))] : bedrockRegions;

function validateKeyRegion(
  keyProp: string,
  secretProp: string,
  key: string | undefined,
  secret: string,
): string | undefined {
  const regionOf = (arn: string) => arn.split(':')[3];
  if (!key || !secret.startsWith('arn:')) return undefined;
  if (regionOf(secret) === regionOf(key)) return undefined;
  return `"${keyProp}" is in ${regionOf(key)} and "${secretProp}" in ${regionOf(secret)}: a secret is encrypted with a key of its own Region.`;
}
