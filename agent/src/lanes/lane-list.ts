// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';

/** Where Bedrock streams are opened: a Region of an account, with a stream quota of its own. */
export interface BedrockLane {
  /** In logs and metrics. */
  readonly name: string;
  readonly region: string;
  /** ARN of the role to assume; undefined: the account of the task. */
  readonly role?: string | undefined;
}

const ROLE = /^arn:[\w-]+:iam::(\d{12}):role\/[\w+=,.@/-]+$/;

const laneList = z
  .array(
    z.strictObject({
      region: z.string().regex(/^[a-z]{2}(-[a-z]+)+-\d$/),
      role: z.string().regex(ROLE).optional(),
      name: z
        .string()
        .regex(/^[\w./-]{1,100}$/)
        .optional(),
    }),
  )
  .min(1);

/** The name of a lane that has none: its Region, with the account of its role in front. */
export function laneName({ region, role }: { region: string; role?: string | undefined }): string {
  const account = role && ROLE.exec(role)?.[1];
  return account ? `${account}/${region}` : region;
}

/** Reads a list of lanes from JSON. @returns undefined when it is not one, or two lanes have the same name */
export function parseLanes(json: string): BedrockLane[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return undefined;
  }
  const { data } = laneList.safeParse(value);
  const lanes = data?.map((lane) => ({ ...lane, name: lane.name ?? laneName(lane) }));
  return new Set(lanes?.map(({ name }) => name)).size === lanes?.length ? lanes : undefined;
}

/** A lane in the own account for each Region. */
export const lanesOfRegions = (regions: readonly string[]): BedrockLane[] =>
  regions.map((region) => ({ name: region, region }));
