// SPDX-License-Identifier: Apache-2.0
import { HttpError, TEXT } from './errors.js';

/** One generation of the model, with the rules that differ between generations. */
export interface Model {
  /** The id of the request, as sent. */
  id: string;
  generation: '1' | '2' | '2.5';
  voices: ReadonlyMap<string, Voice>;
}

/** A voice's language and register: enough to choose a voice of the speech synthesiser. */
export interface Voice {
  /** BCP 47 tag of its first language, like `en-US`. */
  locale: string;
  /** Pitch of the voice. */
  register: 'feminine' | 'masculine';
}

const voice = (locale: string, register: Voice['register']): Voice => ({ locale, register });

// AWS's list of the voices of Nova 2; v1's own from livekit-plugins-aws 1.8.9.
const NOVA_2_VOICES: ReadonlyMap<string, Voice> = new Map([
  ['tiffany', voice('en-US', 'feminine')],
  ['matthew', voice('en-US', 'masculine')],
  ['amy', voice('en-GB', 'feminine')],
  ['olivia', voice('en-AU', 'feminine')],
  ['kiara', voice('en-IN', 'feminine')],
  ['arjun', voice('en-IN', 'masculine')],
  ['ambre', voice('fr-FR', 'feminine')],
  ['florian', voice('fr-FR', 'masculine')],
  ['beatrice', voice('it-IT', 'feminine')],
  ['lorenzo', voice('it-IT', 'masculine')],
  ['tina', voice('de-DE', 'feminine')],
  ['lennart', voice('de-DE', 'masculine')],
  ['lupe', voice('es-US', 'feminine')],
  ['carlos', voice('es-US', 'masculine')],
  ['carolina', voice('pt-BR', 'feminine')],
  ['leo', voice('pt-BR', 'masculine')],
]);

const NOVA_1_NAMES = [
  'matthew',
  'tiffany',
  'amy',
  'lupe',
  'carlos',
  'ambre',
  'florian',
  'lennart',
  'beatrice',
  'lorenzo',
];
const NOVA_1_VOICES: ReadonlyMap<string, Voice> = new Map([
  ...NOVA_1_NAMES.map((name) => [name, NOVA_2_VOICES.get(name) as Voice] as const),
  ['greta', voice('de-DE', 'feminine')],
]);

/** A model's facts that the wire shows. */
export interface EmulatedModel {
  /** What its rules and timings follow. */
  generation: Model['generation'];
  /** Its voices by their IDs, which are in lower case. */
  voices: ReadonlyMap<string, Voice>;
  /** The day (ISO 8601) after which AWS no longer serves it. */
  endOfLife?: string;
}

/** The models that the emulator serves, by id. */
export const EMULATED_MODELS: Readonly<Record<string, EmulatedModel>> = {
  'amazon.nova-2-sonic-v1:0': { generation: '2', voices: NOVA_2_VOICES },
  'amazon.nova-2-5-sonic': { generation: '2.5', voices: NOVA_2_VOICES },
  'amazon.nova-sonic-v1:0': { generation: '1', voices: NOVA_1_VOICES, endOfLife: '2026-09-14' },
};

/** `us.`, `eu.`, `apac.`, `global.` …: a cross-Region inference profile's prefix. */
const PROFILE_PREFIX = /^[a-z]{2,8}\./;
/** Nova 2 and later answer to their id with and without this suffix. */
const VERSION = /-v1:0$/;

/**
 * Finds a model by the id of the request: a model id, an inference profile's id or the ARN of either.
 *
 * @param allowEndOfLife serves a model past its end of life
 * @throws HttpError 400 for an unknown id, 404 for a model past its end of life
 */
export function findModel(id: string, allowEndOfLife: boolean): Model {
  const name = id.startsWith('arn:') ? id.slice(id.lastIndexOf('/') + 1) : id;
  const bare = name.startsWith('amazon.') ? name : name.replace(PROFILE_PREFIX, '');
  const known = Object.entries(EMULATED_MODELS).find(
    ([known, { generation }]) =>
      known === bare ||
      (generation !== '1' && known.replace(VERSION, '') === bare.replace(VERSION, '')),
  );
  if (!known) {
    const why = `no Nova Sonic model has the id ${JSON.stringify(id)}`;
    throw new HttpError(400, 'ValidationException', TEXT.modelId, why, 'model-id');
  }
  const [modelId, { endOfLife, generation, voices }] = known;
  if (endOfLife && !allowEndOfLife) {
    const why = `${modelId} reached its end of life on ${endOfLife}; --allow-end-of-life serves it here`;
    throw new HttpError(404, 'ResourceNotFoundException', TEXT.endOfLife, why, 'model-end-of-life');
  }
  return { id, generation, voices };
}
