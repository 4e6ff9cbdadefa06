// SPDX-License-Identifier: Apache-2.0

import { CREDENTIAL_KEYS } from '../../lib/access/livekit-credentials.js';
import type { Settings } from '../../lib/settings/settings.js';
import { ask, type Check, CheckUnknown, failCheck, firstLine, type Outside } from './check.js';

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
    failCheck(
      `The secret ${liveKitSecret} is not JSON: it needs the keys ${CREDENTIAL_KEYS.join(', ')}.`,
    );
  }
  const missing = CREDENTIAL_KEYS.filter((key) => !String(values[key] ?? '').trim());
  if (missing.length > 0)
    failCheck(`The secret ${liveKitSecret} has no ${missing.join(', ')}: add what is missing.`);
  return CREDENTIAL_KEYS.map((key) => String(values[key]));
}

export const secret: Check = async (settings, outside) => {
  await readKeys(settings, outside);
  return `${settings.liveKitSecret} has its three keys.`;
};

export const livekit: Check = async (settings, outside) => {
  let keys: string[];
  try {
    keys = await readKeys(settings, outside);
  } catch {
    throw new CheckUnknown('It cannot be asked without its secret.');
  }
  const [url = '', apiKey = '', apiSecret = ''] = keys;
  try {
    await outside.livekit(url, apiKey, apiSecret);
  } catch (error) {
    failCheck(
      `LiveKit at ${url} does not answer to these keys (${firstLine(error)}): check LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET in the secret.`,
    );
  }
  return `${url} answers to the keys.`;
};
