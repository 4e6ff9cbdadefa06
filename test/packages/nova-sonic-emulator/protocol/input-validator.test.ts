// SPDX-License-Identifier: Apache-2.0
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type Emulator,
  startEmulator,
} from '../../../../packages/nova-sonic-emulator/src/index.js';
import { StreamError } from '../../../../packages/nova-sonic-emulator/src/protocol/errors.js';
import {
  InputValidator,
  RULE_DEFAULTS,
} from '../../../../packages/nova-sonic-emulator/src/protocol/input-validator.js';
import { findModel } from '../../../../packages/nova-sonic-emulator/src/protocol/models.js';
import { sdkClient, TestClient } from '../support/client.js';
import { toneSpeech } from '../support/tone-speech.js';
import type { Input } from './inputs.js';
import { INVALID, PARSE, RULES, type Rule } from './rule-table.js';

const NOVA_2 = 'amazon.nova-2-sonic-v1:0';

/** The first rejection, and at which event. */
function rejection(rule: Pick<Rule, 'model' | 'pendingCall'>, inputs: Input[], settings = {}) {
  const model = findModel(rule.model ?? NOVA_2, true);
  const awaits = (id: string) => rule.pendingCall === true && id === 'call-1';
  const validator = new InputValidator(model, { ...RULE_DEFAULTS, ...settings }, awaits);
  for (const [i, [name, body]] of inputs.entries()) {
    try {
      validator.accept({ event: { [name]: body } });
    } catch (error) {
      if (!(error instanceof StreamError)) throw error;
      return { type: error.type, message: error.message, why: error.why, at: i };
    }
  }
  return undefined;
}

describe.each(RULES)('$rule', (rule) => {
  it('is reported when broken, at the event that breaks it', () => {
    const rejected = rejection(rule, rule.breaks);
    expect(rejected).toMatchObject({
      type: 'validationException',
      message: rule.says,
      at: rule.breaks.length - 1,
    });
    expect(rejected?.why).toMatch(/\w/);
  });

  it('accepts its valid neighbour', () => {
    expect(rejection(rule, rule.passes)).toBeUndefined();
  });
});

describe('the form of an event', () => {
  const take = (chunk: unknown) => () =>
    new InputValidator(findModel(NOVA_2, true), RULE_DEFAULTS, () => false).accept(chunk);

  it.each([
    ['nothing', undefined],
    ['a number', 7],
    ['no event', {}],
    ['an empty event', { event: {} }],
    ['an event that is a list', { event: [] }],
    ['two events in one', { event: { sessionEnd: {}, promptEnd: { promptName: 'p' } } }],
  ])('%s cannot be parsed', (_, chunk) => {
    expect(take(chunk)).toThrow(PARSE);
  });

  it.each([
    ['a field beside the event', { event: { sessionStart: start() }, id: 1 }],
    ['a name of the prototype', { event: { constructor: {} } }],
  ])('%s is an invalid request', (_, chunk) => {
    expect(take(chunk)).toThrow(INVALID);
  });

  function start() {
    return { inferenceConfiguration: { maxTokens: 1, topP: 0, temperature: 0 } };
  }
});

describe('settings of the rules', () => {
  const history = (bytes: number): Input[] => {
    const rule = RULES.find(({ rule }) => rule.startsWith('the history is at most')) as Rule;
    const [first, second] = rule.passes as [Input, Input];
    const [, , start, , end] = rule.passes as Input[];
    const text: Input = [
      'textInput',
      { promptName: 'p', contentName: 'x0', content: 'w'.repeat(bytes) },
    ];
    return [first, second, start as Input, text, end as Input];
  };

  it('the limits of December 2025 reject what passes today', () => {
    const old = { historyTextBytes: 1024, historyTotalBytes: 40_960 };
    expect(rejection({}, history(1025))).toBeUndefined();
    expect(rejection({}, history(1025), old)?.message).toMatch(/^Chat history is over max limit/);
    expect(rejection({}, history(1024), old)).toBeUndefined();
  });

  it('objectSchemas accepts an object as inputSchema.json', () => {
    const rule = RULES.find(({ rule }) => rule === 'inputSchema.json is a string') as Rule;
    expect(rejection({}, rule.breaks, { objectSchemas: true })).toBeUndefined();
  });
});

describe('over HTTP/2, with the real SDK', () => {
  let emulator: Emulator;
  beforeAll(async () => {
    emulator = await startEmulator({
      profile: 'fast',
      textToSpeech: toneSpeech,
      allowEndOfLife: true,
      limits: { concurrentStreams: 1000 },
      // A turn that calls a tool, for the rules about results.
      scenario: { turns: [{ on: 'text', repeat: true, tools: [{ name: 'clock' }], reply: 'So.' }] },
    });
  });
  afterAll(() => emulator.close());

  it.each(RULES.filter(({ pendingCall }) => !pendingCall))(
    '$rule: a ValidationException with the request id',
    async ({ breaks, says, model }) => {
      const client = new TestClient(sdkClient(emulator), model);
      for (const [name, body] of breaks) client.send(name, body);
      const error = await client.ended;
      expect(error?.name).toBe('ValidationException');
      expect(error?.message).toMatch(/^RequestId=[0-9a-f-]{36} : /);
      expect(error?.message.replace(/^RequestId=\S+ : /, '')).toBe(says);
    },
  );

  it.each(RULES.filter(({ pendingCall }) => !pendingCall))(
    '$rule: the neighbour is accepted',
    async ({ passes, model }) => {
      const client = new TestClient(sdkClient(emulator), model);
      const opened = await openedBy(client, passes);
      await emulator.until(
        ({ session, direction, name }) =>
          session === opened && direction === 'in' && name === passes.at(-1)?.[0] && taken(opened),
      );
      expect(emulator.events.seen({ session: opened, name: 'violation' })).toEqual([]);
      emulator.endSession(opened);
      await client.ended;

      function taken(id: string) {
        return emulator.events.seen({ session: id, direction: 'in' }).length === passes.length;
      }
    },
  );

  it.each(RULES.filter(({ pendingCall }) => pendingCall))(
    '$rule: with a real tool call',
    async ({ breaks, says }) => {
      const client = new TestClient(sdkClient(emulator));
      client.start({ tools: ['clock'] });
      client.openAudio();
      client.text('USER', 'What time is it?', true);
      const call = await client.output(({ name }) => name === 'toolUse');
      for (const [name, body] of breaks.slice(4)) client.send(name, rename(body, call.body));
      expect((await client.ended)?.message.replace(/^RequestId=\S+ : /, '')).toBe(says);
    },
  );

  /** Sends the inputs and returns the session's id. */
  async function openedBy(client: TestClient, inputs: Input[]): Promise<string> {
    const opened = emulator.next({ name: 'open' });
    for (const [name, body] of inputs) client.send(name, body);
    return (await opened).session;
  }

  const rename = (body: object, { toolUseId }: { toolUseId: string }) =>
    JSON.parse(
      JSON.stringify(body)
        .replace('"call-1"', JSON.stringify(toolUseId))
        .replace('"p"', '"prompt"'),
    );
});
