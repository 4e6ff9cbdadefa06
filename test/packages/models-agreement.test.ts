// SPDX-License-Identifier: Apache-2.0
// The emulator stands alone and keeps a table of its own; it must agree with the plugin's.
import { describe, expect, test } from '@jest/globals';
import {
  DEFAULT_STREAM_QUOTA,
  INFERENCE_PROFILE_REGIONS,
  NOVA_SONIC_MODEL_DETAILS,
  NOVA_SONIC_MODELS,
  voicesOf,
} from '../../packages/livekit-plugin-nova-sonic/src/protocol/models.js';
import { LIMIT_DEFAULTS } from '../../packages/nova-sonic-emulator/src/options.js';
import { findModel } from '../../packages/nova-sonic-emulator/src/protocol/models.js';

describe.each(NOVA_SONIC_MODELS)('%s', (id) => {
  const { voices, endOfLife } = NOVA_SONIC_MODEL_DETAILS[id];

  test('has the same voices, each with the same first language', () => {
    const emulated = [...findModel(id, true).voices].map(([name, { locale }]) => [name, locale]);
    const known = Object.entries(voices).map(([name, languages]) => [
      name,
      languages.split(',')[0],
    ]);
    expect(emulated.sort()).toEqual(known.sort());
    expect(voicesOf(id)).toEqual(Object.keys(voices));
  });

  test('is past its end of life in both or in neither', () => {
    const find = () => findModel(id, false);
    if (endOfLife) expect(find).toThrow(/end of its life/);
    else expect(find()).toMatchObject({ id });
  });

  test.each(Object.keys(INFERENCE_PROFILE_REGIONS))('is found under the profile %s', (prefix) => {
    expect(findModel(`${prefix}.${id}`, true).voices).toEqual(findModel(id, true).voices);
  });
});

test('the stream quota is the same', () => {
  expect(LIMIT_DEFAULTS.concurrentStreams).toBe(DEFAULT_STREAM_QUOTA);
});
