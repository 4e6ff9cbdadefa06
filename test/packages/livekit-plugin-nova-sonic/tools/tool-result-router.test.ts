// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  outputText,
  toolResultContent,
} from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-output.js';
import { ToolResultRouter } from '../../../../packages/livekit-plugin-nova-sonic/src/tools/tool-result-router.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import { holds } from '../../../support/properties.js';
import { SteppedClock } from '../support/clocks.js';

function route() {
  const clock = new SteppedClock();
  const sent: unknown[] = [];
  const dropped: string[] = [];
  const conversation = new Conversation({ newId: (prefix) => `${prefix}1`, outputSampleRate: 1 });
  const listener = { started: () => {}, ended: () => {} };
  const router = new ToolResultRouter(clock, conversation, listener, (id) => dropped.push(id));
  router.sink = { toolResult: (...result) => sent.push(result) };
  const called = (callId: string, name = 'book', args = '{"n":2}', forbidden = false) => {
    const call = { callId, name, args };
    conversation.added({ kind: 'tool_call', id: `i-${callId}`, at: 1, ...call });
    return router.called({ type: 'tool_call', id: 'r', itemId: 'i', ...call }, forbidden);
  };
  const results = () => conversation.history.entries.filter((e) => e.kind === 'tool_result');
  return { clock, sent, dropped, router, called, results };
}

describe('ToolResultRouter', () => {
  test('a result goes into the history and to the model, as content and as a note', () => {
    const { router, sent, called, results, dropped } = route();
    expect(called('c')).toBe(true);
    const result = { kind: 'tool_result', id: 'x', at: 5, callId: 'c', name: 'book' } as const;
    router.deliver({ ...result, output: '{"ok":true}', isError: false });
    expect(sent).toEqual([['c', '{"ok":true}', expect.stringMatching(/book.*\{"n":2\}.*"ok"/s)]]);
    expect(results()).toMatchObject([{ callId: 'c', output: '{"ok":true}' }]);
    expect(router.calls.nameOf('c')).toBeUndefined();
    expect(dropped).toEqual([]);
  });

  test('a call that is not allowed is answered at once, and not given to the framework', () => {
    const { sent, called, results } = route();
    expect(called('c', 'book', '{}', true)).toBe(false);
    expect(sent).toEqual([
      ['c', '{"error":"tools are not allowed in this reply"}', expect.any(String)],
    ]);
    expect(results()).toMatchObject([{ callId: 'c', isError: true }]);
  });

  test('each result is told with the name and the arguments of its own call', () => {
    const { router, sent, called } = route();
    called('first');
    called('second', 'pay', '{"euros":5}');
    const result = {
      kind: 'tool_result',
      id: 'x',
      at: 5,
      name: 'unknown',
      isError: false,
    } as const;
    router.deliver({ ...result, callId: 'second', output: 'paid' });
    router.deliver({ ...result, id: 'y', callId: 'first', output: 'booked' });
    // One that comes twice, after the first result is in the history, too.
    router.deliver({ ...result, id: 'z', callId: 'second', output: 'paid again' });
    router.deliver({ ...result, id: 'w', callId: 'of another call', output: '?' });
    const notes = sent.map((told) => String((told as string[])[2]));
    expect(notes[0]).toMatch(/pay.*"euros":5.*paid/s);
    expect(notes[1]).toMatch(/book.*"n":2.*booked/s);
    expect(notes[2]).toMatch(/pay.*"euros":5.*paid again/s);
    expect(notes[3]).toMatch(/unknown.*\{\}/s);
  });

  test('what the router answers itself has the name of the tool; of a call that nobody knows, none', async () => {
    const { router, called, results } = route();
    called('c', 'pay');
    router.calls.called('stray', 'book', '{}');
    for (const id of ['c', 'stray']) await router.calls.run(id, async () => 1);
    router.calls.interrupted();
    expect(results()).toMatchObject([
      { callId: 'c', name: 'pay' },
      { callId: 'stray', name: 'unknown' },
    ]);
  });

  test('before the session has its parts a result is kept in the history', () => {
    const { router, called, results } = route();
    router.sink = undefined;
    expect(called('c', 'book', '{}', true)).toBe(false);
    expect(results()).toHaveLength(1);
  });

  test('a result that the framework dropped is sent all the same', async () => {
    const { router, sent, called, dropped } = route();
    called('c');
    await router.calls.run('c', async () => [1, 2]);
    router.calls.interrupted();
    expect(dropped).toEqual(['c']);
    expect(sent).toEqual([['c', '{"result":[1,2]}', expect.any(String)]]);
  });
});

describe('what a tool returns', () => {
  test('is always one JSON object for the service, which is the value itself or holds it', () => {
    holds(
      fc.property(fc.jsonValue(), fc.boolean(), (value, isError) => {
        const output = outputText(value);
        const content = JSON.parse(toolResultContent(output, isError));
        if (isError) expect(content).toEqual({ error: output || 'the tool failed' });
        else if (typeof value === 'object' && value !== null && !Array.isArray(value))
          expect(JSON.stringify(content)).toBe(JSON.stringify(value));
        else expect(content).toEqual({ result: value === '' ? 'done' : JSON.parse(output) });
      }),
    );
  });

  test('can be anything at all', () => {
    holds(
      fc.property(fc.anything({ withBigInt: true, withDate: true, withMap: true }), (value) => {
        const content = JSON.parse(toolResultContent(outputText(value), false));
        expect(typeof content === 'object' && content !== null && !Array.isArray(content)).toBe(
          true,
        );
      }),
    );
  });

  test.each([
    ['nothing', undefined, ''],
    ['text', 'fine', '"fine"'],
    ['an error', new Error('no'), 'no'],
    ['a number too large for JSON', { n: 5n }, '{"n":"5"}'],
    [
      'a circle',
      (() => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      })(),
      '',
    ],
  ])('as text: %s', (_, value, expected) => {
    expect(outputText(value)).toBe(expected);
  });
});
