// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from '@jest/globals';
import { DefaultScript } from '../../../../packages/nova-sonic-emulator/src/dialogue/default-script.js';
import { fill, sentences } from '../../../../packages/nova-sonic-emulator/src/dialogue/script.js';
import { SeededRandom } from '../../../../packages/nova-sonic-emulator/src/random.js';
import {
  ScenarioScript,
  type ScenarioTurn,
} from '../../../../packages/nova-sonic-emulator/src/scenario/scenario.js';
import {
  checkScenario,
  loadScenario,
} from '../../../../packages/nova-sonic-emulator/src/scenario/scenario-file.js';

const folder = mkdtempSync(join(tmpdir(), 'scenario-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const file = (text: string, name = 's.yaml') => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

/** What is wrong, without the folder. */
function complaint(text: string, name?: string): string {
  try {
    loadScenario(file(text, name));
  } catch (error) {
    return (error as Error).message.replace(`${folder}/`, '');
  }
  return 'nothing';
}

describe('an error in the file names line and field', () => {
  it.each([
    [
      'an unknown field',
      'turns:\n  - user: hi\n    replay: ho\n',
      's.yaml:3: turns[0].replay: unknown; there are on, user, match, history, repeat, delay, tools, meanwhile, reply, interrupt, error, steps',
    ],
    ['no turns', 'name: x\n', 's.yaml:1: turns: is missing'],
    ['empty turns', 'name: x\nturns: []\n', 's.yaml:2: turns: must NOT have fewer than 1 items'],
    [
      'a wrong type',
      'turns:\n  - user: hi\n  - reply: 7\n',
      's.yaml:3: turns[1].reply: must be string',
    ],
    [
      'a tool without a name',
      'turns:\n  - tools:\n      - args: {}\n',
      's.yaml:3: turns[0].tools[0].name: is missing',
    ],
    [
      'an unknown field of a tool',
      'turns:\n  - tools:\n      - name: a\n        arg: {}\n',
      's.yaml:4: turns[0].tools[0].arg: unknown; there are name, args',
    ],
    [
      'a value out of a list',
      'turns:\n  - on: voice\n',
      's.yaml:2: turns[0].on: must be one of speech, text',
    ],
    [
      'an unknown exception',
      'turns:\n  - error:\n      exception: Boom\n',
      /^s\.yaml:3: turns\[0\]\.error\.exception: must be one of internalServerException, /,
    ],
    [
      'a negative pause',
      'turns:\n  - steps:\n      - say: a\n      - pause: -1\n',
      's.yaml:4: turns[0].steps[1].pause: must be >= 0',
    ],
    [
      'two things in one step',
      'turns:\n  - steps:\n      - say: a\n        pause: 1\n',
      's.yaml:3: turns[0].steps[0]: must NOT have more than 1 properties',
    ],
    [
      'steps beside a reply',
      'turns:\n  - reply: a\n    steps:\n      - say: b\n',
      's.yaml:2: turns[0].reply: cannot stand beside steps; move it into steps',
    ],
    [
      'a broken regular expression',
      'turns:\n  - on: text\n    match: "("\n',
      's.yaml:3: turns[0].match: is not a regular expression',
    ],
    [
      'match for speech',
      'turns:\n  - match: a\n',
      's.yaml:2: turns[0].match: needs `on: text`: no words are recognised in speech',
    ],
    [
      'a transcript of typed text',
      'turns:\n  - on: text\n    user: a\n',
      's.yaml:3: turns[0].user: a text turn has no transcript; use match to choose the text',
    ],
    [
      'a placeholder of an uncalled tool',
      'turns:\n  - reply:\n      - one\n      - It is {{clock.time}}\n',
      's.yaml:4: turns[0].reply[1]: {{clock…}} names no tool that this turn has called before',
    ],
    [
      '{{tool}} without a tool',
      'turns:\n  - reply: "{{tool.time}}"\n',
      's.yaml:2: turns[0].reply: {{tool…}} names no tool that this turn has called before',
    ],
    ['broken YAML', 'turns:\n  - user: "hi\n', /^s\.yaml:3: Missing closing "quote/],
  ])('%s', (_, text, message) => {
    if (typeof message === 'string') expect(complaint(text)).toBe(message);
    else expect(complaint(text)).toMatch(message);
  });

  it('in JSON too', () => {
    const text = '{\n  "turns": [\n    { "user": "hi" },\n    { "rply": "ho" }\n  ]\n}\n';
    expect(complaint(text, 's.json')).toMatch(/^s\.json:4: turns\[1\]\.rply: unknown/);
  });

  it('of a file that is not there', () => {
    expect(() => loadScenario('/nowhere/s.yaml')).toThrow(
      /^The scenario \/nowhere\/s.yaml cannot be read: ENOENT/,
    );
  });

  it('of an object, without a line', () => {
    expect(() => checkScenario({ turns: [{ on: 'x' }] })).toThrow(
      'scenario: turns[0].on: must be one of speech, text',
    );
  });
});

describe('the examples', () => {
  const examples = fileURLToPath(
    new URL('../../../../packages/nova-sonic-emulator/scenarios', import.meta.url),
  );
  it.each(readdirSync(examples))('%s is valid and names its schema', (name) => {
    const path = join(examples, name);
    expect(loadScenario(path).turns.length).toBeGreaterThan(0);
    expect(readFileSync(path, 'utf8')).toMatch(
      /^# yaml-language-server: \$schema=\.\.\/scenario\.schema\.json/,
    );
  });
});

describe('turns', () => {
  const script = (...turns: ScenarioTurn[]) =>
    new ScenarioScript({ turns }, new DefaultScript(new SeededRandom(1)));
  const said = (taken: ReturnType<ScenarioScript['take']>) =>
    taken?.steps.map((step) => ('say' in step ? step.say : Object.keys(step)[0])).join(' ');

  it('are used in order, by kind, once each', () => {
    const play = script({ reply: 'A.' }, { on: 'text', reply: 'B.' }, { reply: 'C.' });
    expect(said(play.take('text', 'x'))).toBe('B.');
    expect(said(play.take('speech'))).toBe('A.');
    expect(said(play.take('speech'))).toBe('C.');
    expect(said(play.take('speech'))).toMatch(/emulator/);
  });

  it('repeat as often as they say', () => {
    const play = script({ repeat: 2, reply: 'A.' }, { repeat: true, reply: 'B.' });
    expect([1, 2, 3, 4].map(() => said(play.take('speech')))).toEqual(['A.', 'A.', 'B.', 'B.']);
  });

  it('of typed text may ask for a match', () => {
    const play = script({ on: 'text', match: 'bye|farewell', reply: 'Bye.' });
    expect(said(play.take('text', 'Hello'))).toMatch(/emulator/);
    expect(said(play.take('text', 'Say FAREWELL'))).toBe('Bye.');
  });

  it('may ask for a history that opened the session', () => {
    const play = script(
      { history: 'USER: my name is Ada', reply: 'You are Ada.', repeat: true },
      { reply: 'Who are you?', repeat: true },
    );
    expect(said(play.take('speech'))).toBe('Who are you?');
    expect(said(play.take('speech', undefined, 'ASSISTANT: Hello.\n'))).toBe('Who are you?');
    const history = 'USER: Hello, my name is Bob.\nUSER: My name is Ada.\n';
    expect(said(play.take('speech', undefined, history))).toBe('You are Ada.');
  });

  it('without a transcript get a placeholder', () => {
    expect(script({ reply: 'A.' }).take('speech')?.transcript(0, 2440)).toBe('[2.4 s of speech]');
  });
});

describe('placeholders', () => {
  const context = {
    user: 'me',
    results: new Map<string, unknown>([['clock', { time: 'nine', list: [{ a: 1 }] }]]),
  };
  it.each([
    ['{{user}}', 'me'],
    ['at {{ clock.time }}!', 'at nine!'],
    ['{{clock.list.0.a}}', '1'],
    ['{{clock.list}}', '[{"a":1}]'],
    ['{{clock.date}}', '?clock.date?'],
    ['{{calendar}}', '?calendar?'],
    ['no { placeholder }', 'no { placeholder }'],
  ])('%s', (template, text) => {
    expect(fill(template, context, (path) => `?${path}?`)).toBe(text);
  });
});

describe('sentences', () => {
  it.each([
    ['One. Two? Three!', ['One.', 'Two?', 'Three!']],
    ['It costs 3.50 euros. Yes.', ['It costs 3.50 euros.', 'Yes.']],
    ['No full stop', ['No full stop']],
    ['He said "go." Then he went…', ['He said "go."', 'Then he went…']],
    ['  ', []],
  ])('%s', (text, parts) => {
    expect(sentences(text)).toEqual(parts);
  });
});
