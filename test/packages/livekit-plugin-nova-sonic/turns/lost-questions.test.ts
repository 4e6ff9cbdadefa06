// SPDX-License-Identifier: Apache-2.0
// What waits for its answer when a stream fails is asked again, whatever the caller said and the model answered since.
import { expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import seedrandom from 'seedrandom';
import { parseServerEvent } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/server-events.js';
import { Conversation } from '../../../../packages/livekit-plugin-nova-sonic/src/turns/conversation.js';
import * as serverEvents from '../support/server-events.js';
import { VirtualCall } from '../support/virtual-call.js';

initializeLogger({ pretty: false, level: 'silent' });

/** A call whose audio reaches the service `delayMs` after it is spoken, and whose events arrive as long after that. */
function talk(delayMs = 50) {
  let ids = 0;
  let now = 0;
  const conversation = new Conversation({
    newId: (prefix) => `${prefix}${++ids}`,
    outputSampleRate: 24_000,
  });
  const receive = (...events: Record<string, unknown>[]) => {
    // Offsets are times here.
    const timing = () => ({ now, sampleAt: (ms: number) => ms, sentAt: (ms: number) => ms });
    for (const event of events) conversation.apply(parseServerEvent({ event }), timing());
  };
  const until = (at: number) => {
    now = at;
  };
  const starts = (at: number) => {
    until(at + 2 * delayMs);
    receive(serverEvents.speechStart(at));
  };
  const ends = (at: number, text: string) => {
    until(at + 2 * delayMs);
    receive(serverEvents.speechEnd(at - 700, at), ...serverEvents.userText(text));
  };
  return {
    calls: (at: number, name: string, id: string) => {
      until(at);
      receive(...serverEvents.toolUse(name, { of: name }, id));
    },
    returned: (at: number, callId: string) => {
      const call = conversation.history.entries.find(
        (e) => e.kind === 'tool_call' && e.callId === callId,
      ) as { name: string };
      const result = { kind: 'tool_result', id: `r-${callId}`, at, callId, output: '4' } as const;
      conversation.history.add({ ...result, name: call.name, isError: false });
      conversation.toolAnswered(callId, at);
    },
    starts,
    ends,
    says: (at: number, text: string) => {
      starts(at);
      ends(at + 1_300, text);
    },
    replies: (at: number, text: string) => {
      until(at);
      receive(...serverEvents.reply(text, 80));
    },
    replyBegins: (at: number, text: string) => {
      until(at);
      receive(...serverEvents.plan(text), ...serverEvents.audioContent(80, 'PARTIAL_TURN'));
    },
    coughEnds: (at: number) => {
      until(at + 2 * delayMs);
      receive(serverEvents.speechEnd(at - 700, at));
    },
    types: (at: number, text: string, kind: 'user' | 'instruction' = 'user') => {
      conversation.request('typed', text, { kind, id: 'typed', at, text });
      conversation.requestSent('typed', at);
    },
    unsent: () => conversation.unsentRequests.map(({ text }) => text),
    replyIsPlanned: (at: number, text: string) => {
      until(at);
      receive(...serverEvents.plan(text));
    },
    withdraws: () => conversation.cancelRequest('typed', true),
    /** What is asked again, once nobody speaks. */
    lost: (at: number) => {
      conversation.tick(at);
      return conversation.lostQuestion(at)?.prompt;
    },
    /** Somebody types while there is no stream, and withdraws it. */
    typesInVain: (at: number, text: string) => {
      conversation.request('typed', text, { kind: 'user', id: 'typed', at, text });
      conversation.cancelRequest('typed', true);
    },
    fails: (at: number) => conversation.resume(at, 'failure').plan,
  };
}

/** A tool returns while the caller asks something else: the service answers its result, and then what was said. */
function twoQuestions() {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.starts(1_600);
  call.returned(1_900, 'use-1');
  call.ends(2_900, 'Two?');
  call.replies(3_500, 'To the first.');
  return call;
}

test('speech that comes before the answer to other speech is asked again together with that', () => {
  const call = twoQuestions();
  call.says(3_700, 'Three?');
  const { prompt, history } = call.fails(5_500);
  expect(prompt).toBe('Two?\nThree?');
  expect(history.filter(({ kind }) => kind === 'user')).toMatchObject([{ text: 'One?' }]);
});

test('also when the next stream fails before the answer', () => {
  const call = twoQuestions();
  call.says(3_700, 'Three?');
  call.fails(5_500);
  call.says(5_600, 'Four?');
  expect(call.fails(7_500).prompt).toBe('Two?\nThree?\nFour?');
});

test('but not a text that was withdrawn before any stream got it', () => {
  const call = talk();
  call.says(0, 'One?');
  call.fails(1_500);
  call.typesInVain(1_600, 'Two?');
  expect(call.fails(1_700).prompt).toBe('One?');
});

test('what was typed since and waits for its own answer is not asked again with it', () => {
  const call = talk();
  call.says(0, 'One?');
  call.starts(1_400);
  call.fails(1_500);
  call.starts(1_600);
  call.coughEnds(2_900);
  call.types(3_000, 'Two?');
  expect(call.lost(4_100)).toBe('One?');
});

test('a reply of which nothing was heard is asked for again, also with what was typed since', () => {
  const call = talk();
  call.says(0, 'One?');
  call.types(1_500, 'Two?');
  call.replyIsPlanned(2_000, 'To the first.');
  const { history } = call.fails(2_100);
  expect(history).toEqual([]);
  expect(call.unsent()).toEqual(['One?\nTwo?']);
});

test('and when it was the reply to what was typed, or to what a tool returned', () => {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.types(1_600, 'Two?');
  call.replyIsPlanned(2_000, 'To the second.');
  call.returned(2_050, 'use-1');
  expect(call.fails(2_100).prompt).toMatch(/^\[.* tool first has returned .*\]\nTwo\?$/);
});

test('an instruction whose asker went away because the caller spoke is asked again, too', () => {
  const call = talk();
  call.starts(0);
  call.types(200, 'Greet.', 'instruction');
  call.withdraws();
  call.fails(400);
  call.starts(500);
  call.coughEnds(1_800);
  expect(call.lost(3_000)).toBe('Greet.');
});

test('a caller who still speaks finds the question without an answer at the end of the history', () => {
  const call = twoQuestions();
  call.starts(3_700);
  const { prompt, history } = call.fails(4_500);
  expect(prompt).toBeUndefined();
  expect(history.at(-1)).toMatchObject({ kind: 'user', text: 'Two?' });
});

test('and the result of a tool that has no answer', () => {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.says(1_600, 'Two?');
  call.calls(3_100, 'second', 'use-2');
  call.returned(3_200, 'use-2');
  call.returned(3_300, 'use-1');
  call.replies(3_800, 'To the second.');
  call.starts(4_000);
  const { prompt, history } = call.fails(4_500);
  expect(prompt).toBeUndefined();
  const kinds = history
    .filter((e) => !('text' in e) || e.text)
    .slice(-3)
    .map(({ kind }) => kind);
  expect(kinds).toEqual(['assistant', 'tool_call', 'tool_result']);
  expect(history.at(-1)).toMatchObject({ callId: 'use-1' });
});

test('a result before speech is asked for together with it, not with a result that came later', () => {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.says(1_600, 'Two?');
  call.calls(3_100, 'second', 'use-2');
  call.returned(3_200, 'use-1');
  call.starts(3_300);
  call.returned(3_600, 'use-2');
  call.ends(4_600, 'Three?');
  call.replies(5_200, 'To the second.');
  const { prompt } = call.fails(5_400);
  expect(prompt).toMatch(/^\[.* tool first has returned .*\]\nThree\?$/);
});

test('a result that was sent after the end of speech is answered after it, although the end is reported later', () => {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.starts(1_600);
  call.returned(2_950, 'use-1');
  call.ends(2_900, 'Two?');
  call.replyBegins(3_500, 'To the second.');
  const { prompt } = call.fails(3_600);
  expect(prompt).toMatch(/"To the second\.".*\n\[.* tool first has returned .*\]$/);
});

test('one that was sent before it is answered first', () => {
  const call = talk();
  call.says(0, 'One?');
  call.calls(1_500, 'first', 'use-1');
  call.starts(1_600);
  call.returned(2_850, 'use-1');
  call.ends(2_900, 'Two?');
  call.replyBegins(3_500, 'To the first.');
  expect(call.fails(3_600).prompt).toMatch(/"To the first\.".*\nTwo\?$/);
});

test('a tool that returns before a stream can be opened is answered once', async () => {
  const network = { delayMs: 20, jitterMs: 0 };
  const call = new VirtualCall({ network, random: seedrandom('returned') });
  await call.open();
  await call.type(1, 1);
  await call.until(() => call.toolRuns.size === 1);
  call.sonic.refuse = 3;
  call.sonic.current?.fail(
    Object.assign(new Error('broken'), { name: 'ModelStreamErrorException' }),
  );
  await call.until(() => call.sonic.current !== undefined);
  expect(call.session.chatCtx.items.at(-1)?.type).toBe('function_call_output');
  await call.run(10_000);
  expect(call.heard.filter(({ audio }) => audio.length > 0)).toHaveLength(1);
  await call.close();
});
