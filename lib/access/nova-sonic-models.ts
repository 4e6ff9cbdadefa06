// SPDX-License-Identifier: Apache-2.0

/** What is known of a Nova Sonic model when the stack is synthesised. */
interface Model {
  /** Regions that offer it. */
  readonly regions: readonly string[];
  /** The day after which AWS no longer serves it. */
  readonly endOfLife?: string;
}

/** Sources: the model cards and the Region table of Amazon Bedrock's user guide, 2026-11 (docs/cost.md). */
const MODELS: Readonly<Record<string, Model>> = {
  'amazon.nova-2-5-sonic': {
    regions: ['us-east-1', 'us-west-2', 'eu-north-1', 'ap-northeast-1'],
  },
  'amazon.nova-2-sonic-v1:0': {
    regions: ['us-east-1', 'us-west-2', 'eu-north-1', 'ap-northeast-1'],
  },
  'amazon.nova-sonic-v1:0': {
    regions: ['us-east-1', 'eu-north-1', 'ap-northeast-1'],
    endOfLife: '2026-09-14',
  },
};

/** Used when nothing else is said. */
export const DEFAULT_MODEL = 'amazon.nova-2-sonic-v1:0';

/** Used when nothing else is said: one Region, because a second one moves speech across a border. */
export const DEFAULT_REGIONS: readonly string[] = ['us-east-1'];

/** Concurrent streams that Bedrock allows an account in one Region (model card of Nova 2 Sonic: not adjustable). */
export const DEFAULT_STREAM_QUOTA = 20;

/** Bedrock refuses any other voice when a call starts, with "Received invalid id". */
export const VOICES: readonly string[] = [
  ...['tiffany', 'matthew', 'amy', 'olivia', 'kiara', 'arjun', 'ambre', 'florian', 'beatrice'],
  ...['lorenzo', 'tina', 'lennart', 'lupe', 'carlos', 'carolina', 'leo'],
];

/** Where a system inference profile may route, by its prefix: to Regions whose names start so. */
const PROFILE_REGIONS: Readonly<Record<string, string>> = {
  us: 'us-',
  eu: 'eu-',
  apac: 'ap-',
  jp: 'ap-northeast-',
  global: '',
};

const PROFILE = new RegExp(`^(${Object.keys(PROFILE_REGIONS).join('|')})\\.(.+)$`);

/** Splits `us.amazon.nova-2-sonic-v1:0` into the profile's prefix and the model behind it. */
export function splitModelId(model: string): { foundationModel: string; profile?: string } {
  const [, profile, foundationModel] = PROFILE.exec(model) ?? [];
  return profile && foundationModel ? { foundationModel, profile } : { foundationModel: model };
}

/** The Regions in which a call may run the model: the ones called, and those to which a profile routes. */
export function modelRegions(model: string, called: readonly string[]): string[] {
  const { foundationModel, profile } = splitModelId(model);
  if (!profile) return [...called];
  const offered = MODELS[foundationModel]?.regions ?? [];
  const reached = offered.filter((region) => region.startsWith(PROFILE_REGIONS[profile] ?? ''));
  return [...new Set([...called, ...reached])];
}

/**
 * What is wrong with a model in these Regions.
 * @returns one sentence for each mistake; none when the model can be used in all of them.
 */
export function modelMistakes(model: string, regions: readonly string[]): string[] {
  const { foundationModel, profile } = splitModelId(model);
  const known = MODELS[foundationModel];
  if (!known) {
    return [
      `The model "${model}" is not known here: use ${Object.keys(MODELS)[1]} or ${Object.keys(MODELS)[0]}, or set "forceModel" to true if Bedrock has it.`,
    ];
  }
  if (known.endOfLife) {
    return [
      `The model "${model}" reached its end of life on ${known.endOfLife} and Bedrock no longer serves it: use ${DEFAULT_MODEL}, or set "forceModel" to true if your account still has it.`,
    ];
  }
  const start = profile ? (PROFILE_REGIONS[profile] ?? '') : '';
  return regions
    .filter((region) => !known.regions.includes(region) || !region.startsWith(start))
    .map(
      (region) =>
        `The Bedrock Region "${region}" does not offer ${model}: use some of ${known.regions.filter((name) => name.startsWith(start)).join(', ')}, or set "forceModel" to true if it does by now.`,
    );
}
