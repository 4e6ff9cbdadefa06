// SPDX-License-Identifier: Apache-2.0
import { expect, test } from '@jest/globals';
import {
  DEFAULT_MODEL,
  DEFAULT_REGION,
  DEFAULT_TOKEN_PRICES,
  DEFAULT_VOICE,
  findModelDetails,
  isFirstGeneration,
  NOVA_SONIC_1,
  NOVA_SONIC_1_VOICES,
  NOVA_SONIC_2_VOICES,
  NOVA_SONIC_MODEL_DETAILS,
  parseModelId,
  tokenCostUsd,
  voicesOf,
} from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/models.js';

test('the defaults fit each other', () => {
  const { voices, regions, endOfLife } = NOVA_SONIC_MODEL_DETAILS[DEFAULT_MODEL];
  expect(Object.keys(voices)).toContain(DEFAULT_VOICE);
  expect(regions).toContain(DEFAULT_REGION);
  expect(endOfLife).toBeUndefined();
});

test.each([
  ['amazon.nova-2-sonic-v1:0', undefined, 'amazon.nova-2-sonic-v1:0'],
  ['us.amazon.nova-2-sonic-v1:0', 'us', 'amazon.nova-2-sonic-v1:0'],
  ['global.amazon.nova-2-5-sonic', 'global', 'amazon.nova-2-5-sonic'],
  ['us', undefined, 'us'],
  ['us.', undefined, 'us.'],
  ['.us', undefined, '.us'],
  ['toString.amazon.nova-2-5-sonic', undefined, 'toString.amazon.nova-2-5-sonic'],
])('%s is split into profile and model', (id, profile, foundationModel) => {
  expect(parseModelId(id)).toEqual({ foundationModel, ...(profile && { profile }) });
});

test.each([
  [DEFAULT_MODEL, NOVA_SONIC_MODEL_DETAILS[DEFAULT_MODEL]],
  [`eu.${NOVA_SONIC_1}`, NOVA_SONIC_MODEL_DETAILS[NOVA_SONIC_1]],
  ['amazon.nova-3-sonic', undefined],
  ['toString', undefined],
])('the details of %s', (id, details) => {
  expect(findModelDetails(id)).toBe(details);
});

test.each([
  [`eu.${NOVA_SONIC_1}`, true, NOVA_SONIC_1_VOICES],
  [DEFAULT_MODEL, false, NOVA_SONIC_2_VOICES],
  ['arn:aws:bedrock:us-east-1:1:inference-profile/x', false, NOVA_SONIC_2_VOICES],
])('%s is of the first generation: %s, and has its voices', (id, first, voices) => {
  expect(isFirstGeneration(id)).toBe(first);
  expect(voicesOf(id)).toEqual(Object.keys(voices));
});

test('tokens cost what their prices say', () => {
  expect(tokenCostUsd({})).toBe(0);
  expect(tokenCostUsd({ audioOut: 1_000_000 })).toBe(DEFAULT_TOKEN_PRICES.audioOut);
  const tokens = { audioIn: 1_500, audioOut: 750, textIn: 2_000, textOut: 100 };
  expect(tokenCostUsd(tokens)).toBeCloseTo(0.0045 + 0.009 + 0.00066 + 0.000275, 10);
  expect(tokenCostUsd(tokens, { audioIn: 0, audioOut: 0, textIn: 0, textOut: 10 })).toBe(0.001);
});
