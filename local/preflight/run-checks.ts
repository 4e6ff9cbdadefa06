// SPDX-License-Identifier: Apache-2.0

import type { Settings } from '../../lib/settings/settings.js';
import { alarmAddress, bootstrap, credentials, fargateQuota } from './account-checks.js';
import { laneChecks, regionChecks } from './bedrock-checks.js';
import {
  type Check,
  CheckFailed,
  type CheckResult,
  CheckUnknown,
  firstLine,
  type Outside,
} from './check.js';
import { docker } from './docker-check.js';
import { livekit, secret, toolSecretChecks } from './livekit-checks.js';
import { withParameters } from './stack-parameters.js';

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
    ...toolSecretChecks(settings),
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
        if (error instanceof CheckFailed)
          return { check, state: 'failed', sentence: error.message };
        if (error instanceof CheckUnknown)
          return { check, state: 'unknown', sentence: error.message };
        const sentence = `It could not be checked (${firstLine(error)}): sign in to AWS with \`aws sso login\` or \`aws configure\`, and set AWS_REGION.`;
        return { check, state: 'failed', sentence };
      }
    }),
  );
}
