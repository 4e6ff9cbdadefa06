// SPDX-License-Identifier: Apache-2.0

import type { Lane } from 'livekit-plugin-nova-sonic';
import { credentialsOfRole } from './lane-credentials.js';
import type { BedrockLane } from './lane-list.js';

/**
 * The lanes of one call, in its order: neighbours in the same Region are equal for the caller, so each call begins with
 * another of them, and they fill up together. In a fixed order the first ones would be full most of the time, and every
 * call would have to find that out. Those that failed when they were last asked come last.
 * @param cooldownUntil undefined for a lane that did not fail
 * @param random from 0 to 1, as Math.random
 */
export function lanesOfCall(
  lanes: readonly BedrockLane[],
  cooldownUntil: (lane: string) => number | undefined = () => undefined,
  random = Math.random,
): Lane[] {
  const failed = ({ name }: BedrockLane) => (cooldownUntil(name) === undefined ? 0 : 1);
  const neighbours: BedrockLane[][] = [];
  for (const lane of lanes) {
    const last = neighbours.at(-1);
    if (last?.[0]?.region === lane.region) last.push(lane);
    else neighbours.push([lane]);
  }
  return neighbours
    .flatMap((equal) => {
      const first = Math.floor(random() * equal.length);
      return [...equal.slice(first), ...equal.slice(0, first)].sort(
        (a, b) => failed(a) - failed(b),
      );
    })
    .map(({ name, region, role }) => ({
      name,
      region,
      ...(role && { credentials: credentialsOfRole(role) }),
    }));
}
