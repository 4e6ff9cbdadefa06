// SPDX-License-Identifier: Apache-2.0
// Which rule the form of an event breaks: no other one is named to the developer.

import { expect, it } from '@jest/globals';
import { checkForm } from '../../../../packages/nova-sonic-emulator/src/protocol/check-form.js';
import {
  type InputName,
  inputSchemas,
} from '../../../../packages/nova-sonic-emulator/src/protocol/events.js';
import { findModel } from '../../../../packages/nova-sonic-emulator/src/protocol/models.js';
import {
  audioInputs,
  audioStartInput,
  type Input,
  inference,
  prompt,
  resultStart,
  sensitivity,
  session,
  textInput,
  textStart,
  tool,
  tools,
  withField,
  without,
} from './inputs.js';

const brokenBy = ([name, body]: Input, id = 'amazon.nova-2-sonic-v1:0') => {
  const model = findModel(id, true);
  const fields = body as Record<string, unknown>;
  return checkForm(inputSchemas(model), model, name as InputName, fields).map(({ rule }) => rule);
};
const FIRST = 'amazon.nova-sonic-v1:0';

it.each<[string, Input, string[], string?]>([
  ['nothing', session(), []],
  [
    'the sensitivity at the top',
    session({ endpointingSensitivity: 'HIGH' }),
    ['sensitivity-place'],
  ],
  [
    'the sensitivity elsewhere',
    session({}, { ...inference, endpointingSensitivity: 'HIGH' }),
    ['unknown-field'],
  ],
  ['the sensitivity of a prompt', prompt({ endpointingSensitivity: 'HIGH' }), ['unknown-field']],
  ['turn detection', session(sensitivity), []],
  ['turn detection of the first generation', session(sensitivity), ['sensitivity-place-v1'], FIRST],
  ['another field of the first generation', session({ x: 1 }), ['unknown-field'], FIRST],
  ['turn detection of its prompt', prompt(sensitivity), ['unknown-field'], FIRST],
  ['another field at the top', session({ x: 1, y: 2 }), ['unknown-field', 'unknown-field']],
  [
    'a role beside text',
    withField(textInput('t', 'Hi'), { role: 'USER' }),
    ['role-in-content-start'],
  ],
  ['another field beside text', withField(textInput('t', 'Hi'), { x: 1 }), ['unknown-field']],
  ['a role beside audio', withField(audioInputs(), { role: 'USER' }), ['unknown-field']],
  ['a choice of tools', prompt(tools([tool()], { any: {} })), []],
  [
    'a choice of tools of the first generation',
    prompt(tools([tool()], { any: {} })),
    ['tool-choice-v1'],
    FIRST,
  ],
  [
    'another field beside tools',
    prompt({ toolConfiguration: { tools: [tool()], x: 1 } }),
    ['unknown-field'],
  ],
  ['a choice of tools elsewhere', prompt({ toolChoice: { any: {} } }), ['unknown-field'], FIRST],
  ['a choice that is none', prompt(tools([tool()], { some: {} })), ['tool-choice']],
  ['no type', without(textStart('t', 'USER'), 'type'), ['required-field']],
  ['no type, for audio', without(audioStartInput(), 'type'), ['required-field']],
  ['no inference', without(session(), 'inferenceConfiguration'), ['inference-configuration']],
  ['no name', without(prompt(), 'promptName'), ['required-field']],
  [
    'a temperature that is too high',
    session({}, { ...inference, temperature: 7 }),
    ['inference-range'],
  ],
  [
    'a temperature that is a text',
    session({}, { ...inference, temperature: 'hot' }),
    ['field-type'],
  ],
  ['no tokens', session({}, { ...inference, maxTokens: 0 }), ['max-tokens']],
  ['a name that is a number', withField(textInput('t', 'Hi'), { contentName: 5 }), ['field-type']],
  [
    'the media type of a text',
    textStart('t', 'USER', { textInputConfiguration: { mediaType: 'x' } }),
    ['text-format'],
  ],
  ['the media type of audio', audioStartInput({ mediaType: 'x' }), ['audio-format']],
  ['the media type of a voice', prompt({}, { mediaType: 'x' }), ['audio-format']],
  ['a rate', audioStartInput({ sampleRateHertz: 44_100 }), ['sample-rate']],
  ['the role of audio', withField(audioStartInput(), { role: 'BOSS' }), ['audio-role']],
  ['the role of a result', withField(resultStart(), { role: 'USER' }), ['tool-role']],
  ['the role of a text', textStart('t', 'BOSS'), ['role']],
  ['a text without a role', without(textStart('t', 'USER'), 'role'), ['role-in-content-start']],
])('%s', (_, input, rules, ...model) => {
  expect(brokenBy(input, ...model)).toEqual(rules);
});

it('says what is wrong with which field', () => {
  const model = findModel(FIRST, true);
  const why = ([name, body]: Input) =>
    checkForm(inputSchemas(model), model, name as InputName, body as Record<string, unknown>).map(
      (violation) => violation.why,
    );
  expect(why(session({ x: 1 }))).toEqual(['sessionStart: unknown field x']);
  expect(why(session({}, { ...inference, x: 1 }))).toEqual([
    'sessionStart: unknown field x in inferenceConfiguration',
  ]);
  expect(why(prompt({}, { voiceId: undefined }))).toEqual([
    'promptStart: audioOutputConfiguration.voiceId: is missing',
  ]);
  expect(why(without(textStart('t', 'USER'), 'type'))).toEqual(['contentStart: no type']);
});
