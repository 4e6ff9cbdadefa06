// SPDX-License-Identifier: Apache-2.0
/** Models, voices and Regions of Nova Sonic. Source: Amazon Nova 2 user guide and Bedrock model cards, 2026-11. */

/** Nova 2 Sonic, the default. */
export const NOVA_SONIC_2 = 'amazon.nova-2-sonic-v1:0';
/** Nova 2.5 Sonic. Its id has no version suffix. */
export const NOVA_SONIC_2_5 = 'amazon.nova-2-5-sonic';
/** The first Nova Sonic: past its end of life since 2026-09-14, refused unless `force` is set. */
export const NOVA_SONIC_1 = 'amazon.nova-sonic-v1:0';

/** Model ids that this version knows. */
export const NOVA_SONIC_MODELS = [NOVA_SONIC_2, NOVA_SONIC_2_5, NOVA_SONIC_1] as const;

/** Regions that serve Nova 2 Sonic. Source: release notes of Nova 2 Sonic. */
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

/** True for the first Nova Sonic, also under an inference profile or ARN. */
export const isFirstGeneration = (model: string): boolean => model.includes('amazon.nova-sonic-v1');

/** The voices that a model has. */
export const voicesOf = (model: string): readonly string[] =>
  Object.keys(isFirstGeneration(model) ? NOVA_SONIC_1_VOICES : NOVA_SONIC_2_VOICES);
