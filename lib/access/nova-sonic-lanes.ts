// SPDX-License-Identifier: Apache-2.0

import { Token } from 'aws-cdk-lib/core';

/** Where streams are opened: a Region of an account, which has a stream quota of its own. */
export interface NovaSonicLaneProps {
  /** Bedrock Region. Callers' speech is processed there. */
  readonly region: string;

  /**
   * ARN of a role in another account, which the tasks assume. Its trust policy must allow that: see `BedrockLaneRole`.
   * @default - the account of the tasks
   */
  readonly role?: string | undefined;

  /**
   * Concurrent streams that the account may have in the Region.
   * @default - `streamQuotaPerRegion`
   */
  readonly streams?: number | undefined;

  /**
   * Name in logs and metrics.
   * @default - the Region, with the account of the role in front: 111122223333/us-east-1
   */
  readonly name?: string | undefined;
}

/** A lane with every default in place. */
export interface NovaSonicLane extends NovaSonicLaneProps {
  readonly streams: number;
  readonly name: string;
}

export const ROLE_ARN = /^arn:[\w-]+:iam::(\d{12}):role\/[\w+=,.@/-]+$/;

/** Fills in names and quotas. @throws Error with one sentence about a lane that cannot be used */
export function nameLanes(
  lanes: readonly NovaSonicLaneProps[],
  streamQuotaPerRegion: number,
): NovaSonicLane[] {
  const problem = validateLanes(lanes);
  if (problem) throw new Error(problem);
  return lanes.map((lane) => ({
    ...lane,
    name: nameOf(lane),
    streams: lane.streams ?? streamQuotaPerRegion,
  }));
}

/** Checks a list of lanes. @returns one sentence about the first problem, else undefined */
export function validateLanes(lanes: readonly NovaSonicLaneProps[]): string | undefined {
  if (lanes.length === 0) return '"lanes" cannot be empty: name a lane.';
  for (const { role, name, region } of lanes) {
    if (role === undefined) continue;
    if (Token.isUnresolved(role)) {
      if (name === undefined)
        return `The lane in ${region} whose role is known at deployment only needs a "name".`;
    } else if (!ROLE_ARN.test(role)) {
      return `"lanes" cannot have the role "${role}": give its ARN, like arn:aws:iam::111122223333:role/voice-lane.`;
    }
  }
  const names = lanes.map(nameOf);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  return twice && `"lanes" has ${twice} twice: each account has one quota in a Region.`;
}

function nameOf({ region, role, name }: NovaSonicLaneProps): string {
  const account = role && ROLE_ARN.exec(role)?.[1];
  return name ?? (account ? `${account}/${region}` : region);
}
