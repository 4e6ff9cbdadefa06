// SPDX-License-Identifier: Apache-2.0

import { CREDENTIAL_KEYS } from '../../lib/access/livekit-credentials.js';
import type { Settings } from '../../lib/settings/settings.js';
import { ask, type Check, CheckUnknown, failCheck, firstLine, type Outside } from './check.js';

const NO_JSON: Readonly<Record<string, unknown>> = {};

/** The keys of a secret; {@link NO_JSON} when it is no JSON. */
function jsonOf(text = ''): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text));
  } catch {
    return NO_JSON;
  }
}

/** The three values of the secret of LiveKit. */
async function readKeys({ liveKitSecret }: Settings, outside: Outside): Promise<string[]> {
  const { SecretString } = await ask<{ SecretString?: string }>(
    outside,
    ['secretsmanager', 'get-secret-value', '--secret-id', liveKitSecret],
    {
      ResourceNotFoundException: `There is no secret ${liveKitSecret} in this Region: create it as docs/operations/deploy.md says.`,
    },
  );
  const values = jsonOf(SecretString);
  if (values === NO_JSON)
    failCheck(
      `The secret ${liveKitSecret} is not JSON: it needs the keys ${CREDENTIAL_KEYS.join(', ')}.`,
    );
  const missing = CREDENTIAL_KEYS.filter((key) => !String(values[key] ?? '').trim());
  if (missing.length > 0)
    failCheck(`The secret ${liveKitSecret} has no ${missing.join(', ')}: add what is missing.`);
  return CREDENTIAL_KEYS.map((key) => String(values[key]));
}

export const secret: Check = async (settings, outside) => {
  await readKeys(settings, outside);
  return `${settings.liveKitSecret} has its three keys.`;
};

/** A secret of a tool: without it, or without its key, no task starts. */
const toolSecret =
  (variable: string, { secret: name, key }: Settings['secrets'][string]): Check =>
  async (_settings, outside) => {
    const { SecretString } = await ask<{ SecretString?: string }>(
      outside,
      ['secretsmanager', key ? 'get-secret-value' : 'describe-secret', '--secret-id', name],
      {
        ResourceNotFoundException: `There is no secret ${name} for ${variable} in this Region: create it, or remove it from "secrets".`,
      },
    );
    if (key && !(key in jsonOf(SecretString)))
      failCheck(`The secret ${name} has no key ${key} for ${variable}: add it.`);
    return `${name} is there for ${variable}.`;
  };

export const toolSecretChecks = ({ secrets }: Settings): [string, Check][] =>
  Object.entries(secrets).map(([variable, secret]) => ['secret', toolSecret(variable, secret)]);

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
