// SPDX-License-Identifier: Apache-2.0
// What an event means to a session, however a client spells it, and what the session knows after it.

import { describe, expect, it } from '@jest/globals';
import { InputValidator } from '../../../../packages/nova-sonic-emulator/src/protocol/input-validator.js';
import { findModel } from '../../../../packages/nova-sonic-emulator/src/protocol/models.js';
import {
  readContentStart,
  readPrompt,
  readSensitivity,
  textRole,
} from '../../../../packages/nova-sonic-emulator/src/protocol/read-events.js';
import { RULE_DEFAULTS } from '../../../../packages/nova-sonic-emulator/src/protocol/rule-settings.js';
import {
  audioInputs,
  audioStartInput,
  block,
  chunkOf,
  end,
  type Input,
  live,
  open,
  promptEndInput,
  result,
  resultStart,
  sessionEndInput,
  textInput,
  textStart,
  tool,
  tools,
} from './inputs.js';

describe('a content', () => {
  const text = {
    contentName: '',
    type: 'TEXT',
    interactive: false,
    sampleRate: 16_000,
    toolUseId: '',
  };
  it.each<[string, Record<string, unknown>, object]>([
    ['without anything is a text', {}, text],
    [
      'has its role in any case of letters',
      { role: 'user', contentName: 'a' },
      { role: 'USER', contentName: 'a' },
    ],
    ['of a role that is none has none', { role: 'BOSS' }, { role: undefined }],
    ['is interactive where it says so', { interactive: true }, { interactive: true }],
    ['is not where it says something else', { interactive: 'true' }, { interactive: false }],
    ['is what its type says', { type: 'AUDIO' }, { type: 'AUDIO' }],
    [
      'is what its type says, whatever else it has',
      { type: 'TEXT', audioInputConfiguration: {} },
      { type: 'TEXT' },
    ],
    [
      'without a known type is what it has the configuration of',
      { type: 'X', audioInputConfiguration: { sampleRateHertz: '8000' } },
      { type: 'AUDIO', sampleRate: 8_000 },
    ],
    [
      'of a tool names its call',
      { toolResultInputConfiguration: { toolUseId: 'c' } },
      { type: 'TOOL', toolUseId: 'c' },
    ],
    [
      'has the usual rate where its own is none',
      { audioInputConfiguration: { sampleRateHertz: 44_100 } },
      { sampleRate: 16_000 },
    ],
    [
      'has no configuration that is no object',
      { audioInputConfiguration: [8_000] },
      { sampleRate: 16_000 },
    ],
  ])('%s', (_, body, expected) => {
    expect(readContentStart(body)).toMatchObject(expected);
  });

  it.each([
    ['SYSTEM', 'SYSTEM'],
    ['system_speech', 'SYSTEM_SPEECH'],
    ['Assistant', 'ASSISTANT'],
    [5, undefined],
  ])('the role %j is %s', (role, expected) => {
    expect(textRole({ role })).toBe(expected);
  });
});

describe('a prompt', () => {
  it('has a voice, a rate, and tools with their schemas', () => {
    const schema = { type: 'object' };
    const clock = { name: 'clock', description: 'Tells the time' };
    expect(
      readPrompt({
        promptName: 'p',
        audioOutputConfiguration: { voiceId: 'amy', sampleRateHertz: '16000' },
        ...tools([tool(), tool(schema), tool('no JSON'), {}], { tool: { name: 'clock' } }),
      }),
    ).toEqual({
      ...{ promptName: 'p', voiceId: 'amy', sampleRate: 16_000, chosen: 'clock' },
      tools: [
        { ...clock, json: '{"type":"object"}', schema },
        { ...clock, json: schema, schema },
        { ...clock, json: 'no JSON', schema: undefined },
        { name: '', description: undefined, json: undefined, schema: undefined },
      ],
    });
  });

  it('has defaults for what is missing or unusable', () => {
    const none = {
      promptName: '',
      voiceId: 'matthew',
      sampleRate: 24_000,
      tools: [],
      chosen: undefined,
    };
    expect(readPrompt({})).toEqual(none);
    const odd = { tools: 'clock', toolChoice: { tool: { name: 5 } } };
    expect(readPrompt({ toolConfiguration: odd })).toEqual(none);
  });

  it.each([
    [{ turnDetectionConfiguration: { endpointingSensitivity: 'HIGH' } }, 'HIGH'],
    [{ endpointingSensitivity: 'LOW' }, 'LOW'],
    [{ endpointingSensitivity: 'low' }, 'MEDIUM'],
    [{}, 'MEDIUM'],
  ])('%j ends a turn with the sensitivity %s', (body, sensitivity) => {
    expect(readSensitivity(body)).toBe(sensitivity);
  });
});

describe('a session', () => {
  /** What the last of these events means, and the session after it. */
  const take = (inputs: readonly Input[], settings = {}) => {
    const validator = new InputValidator(
      findModel('amazon.nova-2-sonic-v1:0', true),
      { ...RULE_DEFAULTS, ...settings },
      (id) => id === 'call-1',
    );
    const read = inputs.map((input) => validator.accept(chunkOf(input)));
    return { validator, action: read.at(-1)?.action, read };
  };
  const typed = { interactive: true };

  it('knows its history, and neither what was said before it nor after', () => {
    const { validator } = take([
      ...open,
      ...block('u', 'USER', 'Hello.'),
      ...block('b', 'ASSISTANT', 'Hi.'),
      ...block('t', 'USER', 'Typed.', typed),
      audioStartInput(),
      ...block('v', 'USER', 'Later.', typed),
    ]);
    expect(validator.history).toBe('USER: Hello.\nASSISTANT: Hi.\n');
  });

  it.each<[string, Input[], object]>([
    [
      'typed text in all its parts',
      [...live, textStart('t', 'USER', typed), textInput('t', 'A'), textInput('t', 'B'), end('t')],
      { do: 'typed', text: 'AB' },
    ],
    ['nothing in text of the history', [...open, ...block('t', 'USER')], { do: 'nothing' }],
    [
      'a result',
      [...live, resultStart(), result('{"a":1}'), end('t')],
      { do: 'toolResult', toolUseId: 'call-1', result: { a: 1 } },
    ],
    ['audio', [...live, audioInputs('AQI=')], { do: 'audio', pcm: Buffer.of(1, 2) }],
    ['the end of the prompt', [...live, end('a'), promptEndInput], { do: 'promptEnd' }],
    ['the end', [...live, end('a'), promptEndInput, sessionEndInput], { do: 'sessionEnd' }],
  ])('gets %s', (_, inputs, action) => {
    expect(take(inputs).action).toEqual(action);
  });

  it('reads every event with its name and its body', () => {
    const [first] = take(open).read;
    expect(first).toMatchObject({ name: 'sessionStart', body: open[0]?.[1] });
  });

  it.each([
    ['inside a prompt', open, true],
    ['after it', [...live, end('a'), promptEndInput], false],
    ['before it', open.slice(0, 1), false],
  ])('whose input ends %s is refused for that: %s', (_, inputs, refused) => {
    const { validator } = take(inputs as Input[]);
    if (refused) expect(() => validator.end()).toThrow(/prompts were not closed: \[p\]/);
    else expect(() => validator.end()).not.toThrow();
  });

  it('has a limit for all of its history, whatever the size of each part', () => {
    const parts = (count: number) => [
      ...open,
      textStart('u', 'USER'),
      ...Array.from({ length: count }, () => textInput('u', 'é'.repeat(5))),
    ];
    const limits = { historyTextBytes: 10, historyTotalBytes: 30 };
    expect(() => take(parts(3), limits)).not.toThrow();
    expect(() => take(parts(4), limits)).toThrow(/over max limit/);
  });

  it('takes of a content what is of its kind', () => {
    const sound = audioInputs('AAAA', 't');
    const inputs = [...live, textStart('t', 'USER', typed), sound, textInput('t', 'Hi'), end('t')];
    expect(take(inputs).action).toEqual({ do: 'typed', text: 'Hi' });
    expect(take([...live, textInput('a', 'Hi')]).action).toEqual({ do: 'nothing' });
  });

  const refusal = (inputs: Input[]) => {
    try {
      return take(inputs, { strict: true }).action;
    } catch (error) {
      return (error as { rule: string }).rule;
    }
  };
  it.each<[string, Input[], unknown]>([
    ['characters that are none of base64', [...live, audioInputs('A*==')], 'base64'],
    ['base64 that was cut', [...live, audioInputs('AAA')], 'base64'],
    [
      'text for a content that is not open',
      [...open, ...block('u', 'USER').slice(0, 2), textInput('x', 'Hi')],
      'content-open',
    ],
    [
      'a second prompt after the first',
      [...live, end('a'), promptEndInput, open[1] as Input],
      'prompt-start-once',
    ],
    [
      'a result for another call',
      [...live, resultStart('call-1'), resultStart('call-2', 'u')],
      'result-pending',
    ],
  ])('refuses %s, and says so', (_, inputs, rule) => {
    expect(refusal(inputs)).toBe(rule);
  });
});
