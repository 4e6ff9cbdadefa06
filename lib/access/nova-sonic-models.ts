// SPDX-License-Identifier: Apache-2.0

import {
  DEFAULT_MODEL,
  DEFAULT_REGION,
  findModelDetails,
  INFERENCE_PROFILE_REGIONS,
  NOVA_SONIC_2,
  NOVA_SONIC_2_5,
  parseModelId,
} from 'livekit-plugin-nova-sonic/models';

/** One Region only: a second one would move callers' speech across a border. */
export const DEFAULT_REGIONS: readonly string[] = [DEFAULT_REGION];

/** The Regions in which a call may run the model: the ones called, and those to which a profile routes. */
export function modelRegions(model: string, called: readonly string[]): string[] {
  const { profile } = parseModelId(model);
  if (!profile) return [...called];
  const offered = findModelDetails(model)?.regions ?? [];
  const prefix = INFERENCE_PROFILE_REGIONS[profile] ?? '';
  return [...new Set([...called, ...offered.filter((region) => region.startsWith(prefix))])];
}

/**
 * Checks a model and the Regions in which it is called.
 * @returns one sentence for each problem; none when the model can be used in all of them
 */
export function validateModel(model: string, regions: readonly string[]): string[] {
  const known = findModelDetails(model);
  if (!known) {
    return [
      `The model "${model}" is unknown: use ${NOVA_SONIC_2} or ${NOVA_SONIC_2_5}, or set "forceModel" to true if Bedrock has it.`,
    ];
  }
  if (known.endOfLife) {
    return [
      `The model "${model}" reached its end of life on ${known.endOfLife} and Bedrock no longer serves it: use ${DEFAULT_MODEL}, or set "forceModel" to true if your account still has it.`,
    ];
  }
  const { profile } = parseModelId(model);
  const prefix = profile ? (INFERENCE_PROFILE_REGIONS[profile] ?? '') : '';
  const offered = known.regions.filter((region) => region.startsWith(prefix));
  return regions
    .filter((region) => !offered.includes(region))
    .map(
      (region) =>
        `The Bedrock Region "${region}" does not offer ${model}: use some of ${offered.join(', ')}, or set "forceModel" to true if it does by now.`,
    );
}
