// SPDX-License-Identifier: Apache-2.0
import type { BedrockRuntimeClientConfig } from '@aws-sdk/client-bedrock-runtime';
import { optionError } from './options-schema.js';
import { DEFAULT_REGION } from './protocol/models.js';

/** AWS credentials: an identity, or a function that provides one. */
export type Credentials = NonNullable<BedrockRuntimeClientConfig['credentials']>;

/** Where streams may be opened: a Region of an account, which has a stream quota of its own. */
export interface Lane {
  /** What it is called in events and in `retry.cooldownUntil`; each lane has another name. @default the Region */
  readonly name?: string;
  /** AWS Region. */
  readonly region: string;
  /** Credentials of the account, or a provider of them; fixed for the life of a stream. @default the option `credentials` */
  readonly credentials?: Credentials;
}

/** A lane with its name in place. */
export type NamedLane = Lane & { readonly name: string };

/** One lane for each Region, of the account of the option `credentials`. */
export const lanesOf = (regions: readonly string[]): NamedLane[] =>
  regions.map((region) => ({ name: region, region }));

/**
 * The lanes that are given, else one for each Region, of which the default is in the environment.
 * @throws Error of one sentence when two have the same name, or both are given
 */
export function resolveLanes(
  lanes: readonly Lane[] | undefined,
  given: string | readonly string[] | undefined,
  env: Readonly<Record<string, string | undefined>>,
): NamedLane[] {
  if (lanes === undefined) {
    const region = given ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? DEFAULT_REGION;
    return lanesOf([...new Set(typeof region === 'string' ? [region] : region)]);
  }
  if (given !== undefined)
    throw optionError(
      'region',
      String(given),
      'it cannot be set with lanes, which name their Regions.',
    );
  const named = lanes.map((lane) => ({ ...lane, name: lane.name ?? lane.region }));
  const twice = named.find(({ name }, index) => named.findIndex((l) => l.name === name) < index);
  if (twice)
    throw optionError(
      'lanes',
      twice.name,
      'each lane needs another name: set `name` for accounts that share a Region.',
    );
  return named;
}
