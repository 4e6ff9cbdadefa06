// SPDX-License-Identifier: Apache-2.0
/**
 * What is known of Nova Sonic's models: ids, Regions, voices, end of life, stream quota and prices. Pure data, the one
 * home of these facts; published as `livekit-plugin-nova-sonic/models`, so it imports nothing.
 *
 * Sources: Amazon Nova 2 user guide, Bedrock's model cards, Region table and price list, 2026-11.
 */

/** Nova 2 Sonic, the default. */
export const NOVA_SONIC_2 = 'amazon.nova-2-sonic-v1:0';
/** Nova 2.5 Sonic. Its id has no version suffix. */
export const NOVA_SONIC_2_5 = 'amazon.nova-2-5-sonic';
/** The first Nova Sonic: past its end of life since 2026-09-14, rejected unless `force` is set. */
export const NOVA_SONIC_1 = 'amazon.nova-sonic-v1:0';

/** The ids of all models that this version knows. */
export const NOVA_SONIC_MODELS = [NOVA_SONIC_2, NOVA_SONIC_2_5, NOVA_SONIC_1] as const;

/** A model id that this version knows. */
export type NovaSonicModelId = (typeof NOVA_SONIC_MODELS)[number];

/**
 * The model that is used when none is named. Not yet Nova 2.5 Sonic (looked at again on 2026-11-26). For it: generally
 * available since 2026-10-05 in the same Regions at the same price; LiveKit's Python plugin 1.8.9 selects it, Strands
 * documents it, and public programs speak, type and call tools with it. Against it: the one team that published
 * measurements (eu-north-1, 2026-10-08) found that audio during a pending tool ends the stream ("Invalid input
 * request"), which a telephone sends all the time, and that a text after a reply did not open a turn; no capture is
 * public to check either against. There is no hurry: AWS keeps a model Legacy for six months before its end of life,
 * and Nova 2 is Active. To be decided again when it becomes Legacy, or by 2027-03-01; `withNovaSonic25()` selects 2.5.
 */
export const DEFAULT_MODEL: NovaSonicModelId = NOVA_SONIC_2;
/** The voice that is used when none is named; every model has it. */
export const DEFAULT_VOICE = 'tiffany';
/** The Region that is used when neither an option nor the environment names one. */
export const DEFAULT_REGION = 'us-east-1';

/** Concurrent streams per account and Region. Source: model card of Nova 2 Sonic (not adjustable). */
export const DEFAULT_STREAM_QUOTA = 20;

/** Regions that serve Nova 2 and 2.5 Sonic. Source: release notes of Nova 2 Sonic. */
export const NOVA_SONIC_REGIONS = [
  'us-east-1',
  'us-west-2',
  'eu-north-1',
  'ap-northeast-1',
] as const;

/** Voices of Nova 2 and 2.5 Sonic with their language; tiffany and matthew speak all of them. */
export const NOVA_SONIC_2_VOICES = {
  tiffany: 'en-US',
  matthew: 'en-US',
  amy: 'en-GB',
  olivia: 'en-AU',
  kiara: 'en-IN, hi-IN',
  arjun: 'en-IN, hi-IN',
  ambre: 'fr-FR',
  florian: 'fr-FR',
  beatrice: 'it-IT',
  lorenzo: 'it-IT',
  tina: 'de-DE',
  lennart: 'de-DE',
  lupe: 'es-US',
  carlos: 'es-US',
  carolina: 'pt-BR',
  leo: 'pt-BR',
} as const;

/** Voices of the first Nova Sonic with their language. */
export const NOVA_SONIC_1_VOICES = {
  matthew: 'en-US',
  tiffany: 'en-US',
  amy: 'en-GB',
  lupe: 'es-US',
  carlos: 'es-US',
  ambre: 'fr-FR',
  florian: 'fr-FR',
  greta: 'de-DE',
  lennart: 'de-DE',
  beatrice: 'it-IT',
  lorenzo: 'it-IT',
} as const;

/** A voice of Nova 2 or 2.5 Sonic. */
export type NovaSonic2Voice = keyof typeof NOVA_SONIC_2_VOICES;
/** A voice of the first Nova Sonic. */
export type NovaSonic1Voice = keyof typeof NOVA_SONIC_1_VOICES;
/** Any voice that this version knows. */
export type NovaSonicVoice = NovaSonic2Voice | NovaSonic1Voice;

/** The facts about one model. */
export interface NovaSonicModelDetails {
  /** The name in AWS's documents. */
  readonly name: string;
  /** Regions that serve it. */
  readonly regions: readonly string[];
  /** Its voices, each with its languages. */
  readonly voices: Readonly<Record<string, string>>;
  /** The day (ISO 8601) after which AWS no longer serves it. */
  readonly endOfLife?: string;
}

/** The facts about each model, by its id. */
export const NOVA_SONIC_MODEL_DETAILS: Readonly<Record<NovaSonicModelId, NovaSonicModelDetails>> = {
  [NOVA_SONIC_2]: {
    name: 'Amazon Nova 2 Sonic',
    regions: NOVA_SONIC_REGIONS,
    voices: NOVA_SONIC_2_VOICES,
  },
  [NOVA_SONIC_2_5]: {
    name: 'Amazon Nova 2.5 Sonic',
    regions: NOVA_SONIC_REGIONS,
    voices: NOVA_SONIC_2_VOICES,
  },
  [NOVA_SONIC_1]: {
    name: 'Amazon Nova Sonic',
    regions: ['us-east-1', 'eu-north-1', 'ap-northeast-1'],
    voices: NOVA_SONIC_1_VOICES,
    endOfLife: '2026-09-14',
  },
};

/** Where a system inference profile may route, by its prefix: to Regions whose names start so. */
export const INFERENCE_PROFILE_REGIONS: Readonly<Record<string, string>> = {
  us: 'us-',
  eu: 'eu-',
  apac: 'ap-',
  jp: 'ap-northeast-',
  global: '',
};

/**
 * Splits the id of a system inference profile, like `us.amazon.nova-2-sonic-v1:0`, into the profile's prefix and the
 * model behind it. Any other id is returned whole.
 */
export function parseModelId(model: string): { foundationModel: string; profile?: string } {
  const dot = model.indexOf('.');
  const profile = model.slice(0, Math.max(dot, 0));
  return Object.hasOwn(INFERENCE_PROFILE_REGIONS, profile) && dot + 1 < model.length
    ? { foundationModel: model.slice(dot + 1), profile }
    : { foundationModel: model };
}

/** The facts about the model behind an id or inference profile; undefined for an ARN and for what is not known. */
export const findModelDetails = (model: string): NovaSonicModelDetails | undefined => {
  const { foundationModel } = parseModelId(model);
  return Object.hasOwn(NOVA_SONIC_MODEL_DETAILS, foundationModel)
    ? NOVA_SONIC_MODEL_DETAILS[foundationModel as NovaSonicModelId]
    : undefined;
};

/** True for the first Nova Sonic, also under an inference profile or ARN. */
export const isFirstGeneration = (model: string): boolean => model.includes('amazon.nova-sonic-v1');

/** The voices of a model; those of Nova 2 Sonic for a model that is not known. */
export const voicesOf = (model: string): readonly string[] =>
  Object.keys(isFirstGeneration(model) ? NOVA_SONIC_1_VOICES : NOVA_SONIC_2_VOICES);

/** Prices in US dollars per million tokens. */
export interface TokenPrices {
  /** Speech that the model hears. */
  readonly audioIn: number;
  /** Speech that it says. */
  readonly audioOut: number;
  /** Instructions, history, tools and typed text. */
  readonly textIn: number;
  /** Transcripts and tool calls. */
  readonly textOut: number;
}

/** Numbers of tokens; a kind that is missing counts as 0. */
export type TokenCounts = Partial<Record<keyof TokenPrices, number>>;

/** On-demand prices of Nova 2 and 2.5 Sonic. Source: Amazon Bedrock's price list, 2026-11 (docs/cost.md). */
export const DEFAULT_TOKEN_PRICES: TokenPrices = {
  audioIn: 3,
  audioOut: 12,
  textIn: 0.33,
  textOut: 2.75,
};

/** What tokens cost, in US dollars. */
export function tokenCostUsd(
  { audioIn = 0, audioOut = 0, textIn = 0, textOut = 0 }: TokenCounts,
  prices: TokenPrices = DEFAULT_TOKEN_PRICES,
): number {
  return (
    (audioIn * prices.audioIn +
      audioOut * prices.audioOut +
      textIn * prices.textIn +
      textOut * prices.textOut) /
    1_000_000
  );
}
