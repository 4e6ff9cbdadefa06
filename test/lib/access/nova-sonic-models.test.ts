// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { parseModelId } from 'livekit-plugin-nova-sonic/models';
import { modelRegions, validateModel } from '../../../lib/access/nova-sonic-models.js';

const FOUR = ['us-east-1', 'us-west-2', 'eu-north-1', 'ap-northeast-1'];
const NOVA_2 = 'amazon.nova-2-sonic-v1:0';

describe('a model', () => {
  test.each([NOVA_2, 'amazon.nova-2-5-sonic'])('%s is in four Regions', (model) => {
    expect(validateModel(model, FOUR)).toEqual([]);
    expect(validateModel(model, ['us-east-2', 'us-east-1'])).toEqual([
      `The Bedrock Region "us-east-2" does not offer ${model}: use some of ${FOUR.join(', ')}, or set "forceModel" to true if it does by now.`,
    ]);
  });
});

describe('an inference profile', () => {
  test.each([
    ['us', ['us-east-1', 'us-west-2']],
    ['eu', ['eu-north-1']],
    ['apac', ['ap-northeast-1']],
    ['jp', ['ap-northeast-1']],
    ['global', FOUR],
  ])('%s. is called from, and routes to, %j', (prefix, regions) => {
    const model = `${prefix}.${NOVA_2}`;
    expect(parseModelId(model)).toEqual({ foundationModel: NOVA_2, profile: prefix });
    expect(FOUR.filter((region) => validateModel(model, [region]).length === 0)).toEqual(regions);
    expect(modelRegions(model, regions.slice(0, 1)).sort()).toEqual([...regions].sort());
  });

  test('that is unknown is taken as a model ID', () => {
    expect(parseModelId(`mars.${NOVA_2}`)).toEqual({ foundationModel: `mars.${NOVA_2}` });
    expect(parseModelId('us.')).toEqual({ foundationModel: 'us.' });
  });

  test('also may be called from a Region that was forced', () => {
    expect(modelRegions(`us.${NOVA_2}`, ['ca-central-1'])).toEqual([
      ...['ca-central-1', 'us-east-1', 'us-west-2'],
    ]);
  });

  test('of an unknown model runs where it is called', () => {
    expect(modelRegions('us.amazon.nova-3-sonic', ['us-east-2'])).toEqual(['us-east-2']);
  });
});

test('a model is called where it is called, without a profile', () => {
  expect(modelRegions(NOVA_2, ['us-west-2', 'eu-north-1'])).toEqual(['us-west-2', 'eu-north-1']);
});

test('a profile of a model that nobody knows adds no Region', () => {
  expect(modelRegions('us.acme.voice-v1:0', ['us-east-1'])).toEqual(['us-east-1']);
});

test.each([
  [
    'acme.voice-v1:0',
    'The model "acme.voice-v1:0" is unknown: use amazon.nova-2-sonic-v1:0 or amazon.nova-2-5-sonic, or set "forceModel" to true if Bedrock has it.',
  ],
  [
    'amazon.nova-sonic-v1:0',
    expect.stringMatching(
      /^The model "amazon\.nova-sonic-v1:0" reached its end of life on \S+ and Bedrock no longer serves it: use amazon\.nova-2-sonic-v1:0, or set "forceModel" to true/,
    ),
  ],
])('%s is refused in any Region', (model, sentence) => {
  expect(validateModel(model, ['us-east-1', 'us-west-2'])).toEqual([sentence]);
});
