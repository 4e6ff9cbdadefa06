// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Emulator,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { StreamError } from '../../../../packages/nova-sonic-emulator/src/protocol/errors.js';
import { InputValidator } from '../../../../packages/nova-sonic-emulator/src/protocol/input-validator.js';
import { findModel } from '../../../../packages/nova-sonic-emulator/src/protocol/models.js';
import {
  RULE_DEFAULTS,
  type RuleSettings,
  type RuleWarning,
} from '../../../../packages/nova-sonic-emulator/src/protocol/rule-settings.js';
import {
  isRefused,
  PROTOCOL_RULES,
  protocolRule,
  REFUSED_BY_DEFAULT,
  type RuleName,
} from '../../../../packages/nova-sonic-emulator/src/protocol/rules.js';
import { sdkClient, TestClient } from '../support/client.js';
import { toneSpeech } from '../support/tone-speech.js';
import { CLIENTS } from './clients.js';
import {
  audioInputs,
  audioStartInput,
  block,
  chunkOf,
  type Input,
  live,
  open,
  textStart,
} from './inputs.js';
import { INVALID, PARSE, RULES, type Rule } from './rule-table.js';

const NOVA_2 = 'amazon.nova-2-sonic-v1:0';

/** What a sequence leads to: the first rejection and at which event, and the warnings. */
function outcome(
  { model, pendingCall }: Pick<Rule, 'model' | 'pendingCall'>,
  inputs: readonly Input[],
  settings: Partial<RuleSettings> = {},
) {
  const warnings: RuleWarning[] = [];
  const validator = new InputValidator(
    findModel(model ?? NOVA_2, true),
    { ...RULE_DEFAULTS, ...settings },
    (id) => pendingCall === true && id === 'call-1',
    (warning) => warnings.push(warning),
  );
  for (const [at, input] of inputs.entries()) {
    try {
      validator.accept(chunkOf(input));
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      const { type, message, why, rule } = error;
      return { warnings, rejected: { type, message, why, rule, at } };
    }
  }
  return { warnings, rejected: undefined };
}

const rejection = (...args: Parameters<typeof outcome>) => outcome(...args).rejected;

describe.each(RULES)('$name: $rule', (rule) => {
  const { name, breaks, passes, says, alsoBreaks = [] } = rule;

  it('is refused in strict mode, at the event that breaks it, with its name', () => {
    const rejected = rejection(rule, breaks, { strict: true });
    if (alsoBreaks.length) expect(alsoBreaks).toContain(rejected?.rule);
    else {
      expect(rejected).toMatchObject({
        type: 'validationException',
        message: says,
        rule: name,
        at: breaks.length - 1,
      });
      expect(rejected?.why).toMatch(/\w/);
    }
  });

  it('is refused by default only if it is documented or was seen, else warned of', () => {
    const { rejected, warnings } = outcome(rule, breaks);
    const evidence = protocolRule(name).evidence;
    if (REFUSED_BY_DEFAULT.includes(evidence)) {
      expect(rejected).toMatchObject({ message: says, rule: name, at: breaks.length - 1 });
    } else {
      expect(rejected).toBeUndefined();
      expect(warnings.map((warning) => warning.rule)).toContain(name);
    }
  });

  it('accepts its valid neighbour, without a warning', () => {
    expect(outcome(rule, passes, { strict: true })).toEqual({ warnings: [], rejected: undefined });
  });
});

describe('what real clients send', () => {
  it.each(CLIENTS)('$client ($language): $sends', ({ inputs, warns, model }) => {
    const { rejected, warnings } = outcome({ model, pendingCall: true }, inputs);
    expect(rejected).toBeUndefined();
    expect([...new Set(warnings.map(({ rule }) => rule))].sort()).toEqual([...warns].sort());
    // Strict mode refuses what is warned of, but for what is known to be accepted.
    const refused = warns.filter((rule) => isRefused(rule, true));
    const strict = rejection({ model, pendingCall: true }, inputs, { strict: true });
    expect(strict !== undefined).toBe(refused.length > 0);
    if (strict) expect(refused).toContain(strict.rule);
  });
});

describe('the rules', () => {
  /** Rules that a sequence of events cannot break, or that the tests below or elsewhere show. */
  const ELSEWHERE: RuleName[] = [
    ...(['signature', 'chunk-signature', 'operation', 'model-id', 'model-end-of-life'] as const),
    ...(['concurrent-streams', 'connection-length', 'audio-idle', 'speech-idle'] as const),
    ...(['event-shape', 'beside-event', 'system-before-history', 'whole-samples'] as const),
    'assistant-in-conversation',
  ];

  it('are all shown, and have a source unless they are guesses', () => {
    const shown = new Set<string>([...RULES.map(({ name }) => name), ...ELSEWHERE]);
    expect(Object.keys(PROTOCOL_RULES).filter((name) => !shown.has(name))).toEqual([]);
    for (const name of Object.keys(PROTOCOL_RULES) as RuleName[]) {
      const { rule, evidence, source } = protocolRule(name);
      expect(rule).toMatch(/^[A-Za-z].*[^.]$/);
      if (evidence !== 'guessed') expect(source).toMatch(/\w/);
    }
  });

  it('never refuse what is known to be accepted, even in strict mode', () => {
    const strict = { strict: true };
    const cases: [RuleName, Input[]][] = [
      ['assistant-in-conversation', [...live, ...block('x', 'ASSISTANT')]],
      ['whole-samples', [...live, audioInputs(Buffer.alloc(3).toString('base64'))]],
      [
        'system-before-history',
        [
          ...open.slice(0, 2),
          ...block('x', 'SYSTEM_SPEECH'),
          ...block('y', 'USER'),
          textStart('z', 'SYSTEM'),
        ],
      ],
    ];
    for (const [name, inputs] of cases) {
      const { rejected, warnings } = outcome({}, inputs, strict);
      expect(rejected).toBeUndefined();
      expect(warnings.map(({ rule }) => rule)).toContain(name);
      expect(isRefused(name, true)).toBe(false);
    }
  });

  it('warn once for each kind of event', () => {
    const odd = audioInputs(Buffer.alloc(3).toString('base64'));
    expect(outcome({}, [...live, odd, odd, odd]).warnings).toHaveLength(1);
  });

  it('go on after a warning as a lenient service would', () => {
    const validator = new InputValidator(findModel(NOVA_2, true), RULE_DEFAULTS, () => true);
    const take = (name: string, body: object) => validator.accept({ event: { [name]: body } });
    const at = (contentName: string) => ({ promptName: 'p', contentName });
    expect(take('sessionStart', {}).action).toEqual({ do: 'session', sensitivity: 'MEDIUM' });
    expect(take('connectionEnd', {}).action).toEqual({ do: 'nothing' });
    expect(take('promptStart', { promptName: 'p' }).action).toMatchObject({
      prompt: { voiceId: 'matthew', sampleRate: 24_000, tools: [] },
    });
    take('contentStart', { ...at('s'), type: 'TEXT', interactive: true });
    take('textInput', { ...at('s'), content: 'Be brief.', role: 'SYSTEM' });
    expect(take('contentEnd', at('s')).action).toEqual({ do: 'nothing' });
    const audio = { sampleRateHertz: 8000 };
    expect(take('contentStart', { ...at('a'), audioInputConfiguration: audio }).action).toEqual({
      do: 'audioStart',
      sampleRate: 8000,
    });
    expect(take('audioInput', { ...at('a'), content: 'AAAA', role: 'USER' }).action.do).toBe(
      'audio',
    );
    take('contentStart', { ...at('u'), type: 'TEXT', interactive: true });
    take('textInput', { ...at('u'), content: 'Hello', role: 'USER' });
    expect(take('contentEnd', at('u')).action).toEqual({ do: 'typed', text: 'Hello' });
    take('contentStart', { ...at('t'), toolResultInputConfiguration: { toolUseId: 'c' } });
    take('textInput', { ...at('t'), content: '{"a":1}' });
    expect(take('contentEnd', at('t')).action).toEqual({
      do: 'toolResult',
      toolUseId: 'c',
      result: { a: 1 },
    });
  });
});

describe('the form of an event', () => {
  const take = (chunk: unknown, settings = {}) => {
    const all = { ...RULE_DEFAULTS, ...settings };
    return () => new InputValidator(findModel(NOVA_2, true), all, () => false).accept(chunk);
  };

  it.each([
    ['nothing', undefined],
    ['a number', 7],
    ['no event', {}],
    ['an empty event', { event: {} }],
    ['an event that is a list', { event: [] }],
    ['an event whose body is a text', { event: { sessionEnd: 'now' } }],
  ])('%s cannot be parsed', (_, chunk) => {
    expect(take(chunk)).toThrow(PARSE);
  });

  it.each([
    ['two events in one', { event: { sessionStart: start(), promptEnd: {} } }, PARSE],
    ['a field beside the event', { event: { sessionStart: start() }, id: 1 }, INVALID],
    ['a name of the prototype', { event: { constructor: {} } }, INVALID],
  ])('%s is refused in strict mode only', (_, chunk, message) => {
    expect(take(chunk, { strict: true })).toThrow(message);
    expect(take(chunk)).not.toThrow();
  });

  function start() {
    return { inferenceConfiguration: { maxTokens: 1, topP: 0, temperature: 0 } };
  }
});

describe('settings of the rules', () => {
  const history = (bytes: number): Input[] => [
    ...open,
    textStart('x', 'USER'),
    ['textInput', { promptName: 'p', contentName: 'x', content: 'w'.repeat(bytes) }],
  ];

  it('the limits of December 2025 reject what passes today', () => {
    const old = { historyTextBytes: 1024, historyTotalBytes: 40_960 };
    expect(rejection({}, history(1025))).toBeUndefined();
    expect(rejection({}, history(1025), old)?.message).toMatch(/^Chat history is over max limit/);
    expect(rejection({}, history(1024), old)).toBeUndefined();
  });

  it('objectSchemas accepts an object as inputSchema.json', () => {
    const rule = RULES.find(({ name }) => name === 'schema-string') as Rule;
    expect(rejection({}, rule.breaks, { objectSchemas: true })).toBeUndefined();
  });
});

describe('over HTTP/2, with the real SDK', () => {
  let lenient: Emulator;
  let strict: Emulator;
  beforeAll(async () => {
    const options = {
      profile: 'fast',
      textToSpeech: toneSpeech,
      allowEndOfLife: true,
      limits: { concurrentStreams: 1000 },
    } as const;
    lenient = await startEmulator(options);
    strict = await startEmulator({ ...options, rules: { strict: true } });
  });
  afterAll(() => Promise.all([lenient.close(), strict.close()]));

  const rule = RULES.find(({ name }) => name === 'tool-name') as Rule;

  it('what is refused is a ValidationException with the request id, and names the rule in the log', async () => {
    const client = new TestClient(sdkClient(strict));
    for (const [name, body] of rule.breaks) client.send(name, body);
    const error = await client.ended;
    expect(error?.name).toBe('ValidationException');
    expect(error?.message).toMatch(/^RequestId=[0-9a-f-]{36} : Invalid input request$/);
    expect(strict.events.seen('violation')[0]?.event).toMatchObject({
      rule: 'tool-name',
      evidence: 'inferred',
    });
  });

  it('what is only warned of goes on, and the warning names the rule, its evidence and its source', async () => {
    const client = new TestClient(sdkClient(lenient));
    for (const [name, body] of rule.breaks) client.send(name, body);
    await client.output(({ name }) => name === 'usageEvent');
    const { event } = lenient.events.seen('warning')[0] ?? {};
    expect(event).toMatchObject({ rule: 'tool-name', evidence: 'inferred' });
    expect(event?.text).toMatch(
      /^promptStart: tool "clock\.now": .*; rule tool-name, inferred: Bedrock API reference/,
    );
    const mistakes = await (await fetch(`${lenient.controlUrl}/mistakes`)).json();
    expect(mistakes).toMatchObject([{ name: 'warning', event: { rule: 'tool-name' } }]);
    client.endInput();
    // The prompt was never closed.
    expect((await client.ended)?.message).toMatch(
      /: Error\(s\):\nError 1 : The following prompts were not closed: \[p\]$/,
    );
  });

  it('the same sequence with the neighbour is accepted', async () => {
    const client = new TestClient(sdkClient(strict));
    for (const [name, body] of [...rule.passes, ...block('s', 'SYSTEM'), audioStartInput()]) {
      client.send(name, body);
    }
    const { session } = await strict.next({ name: 'contentStart' });
    expect(strict.events.seen({ session, name: 'violation' })).toEqual([]);
    strict.endSession(session);
    await client.ended;
  });
});
