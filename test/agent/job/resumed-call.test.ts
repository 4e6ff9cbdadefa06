// SPDX-License-Identifier: Apache-2.0

import { describe, expect, jest, test } from '@jest/globals';
import { initializeLogger, llm } from '@livekit/agents';
import {
  CallResumption,
  fromItems,
  RESUMED_JOB,
  toItem,
} from '../../../agent/src/job/resumed-call.js';
import type { ConversationItem } from '../../../agent/src/supervision/conversation-record.js';

initializeLogger({ pretty: false, level: 'silent' });

const items = [
  llm.ChatMessage.create({ id: '1', role: 'user', content: 'My name is Ada.', createdAt: 1 }),
  llm.FunctionCall.create({ id: '2', callId: 'c', name: 'look_up', args: '{}', createdAt: 2 }),
  llm.FunctionCallOutput.create({
    id: '3',
    callId: 'c',
    name: 'look_up',
    output: '"found"',
    isError: false,
    createdAt: 3,
  }),
  llm.ChatMessage.create({
    id: '4',
    role: 'assistant',
    content: 'Hello Ada, I',
    interrupted: true,
    createdAt: 4,
  }),
];

/** As the items arrive in another process. */
const sent = () => JSON.parse(JSON.stringify(items.map(toItem))) as unknown as ConversationItem[];

describe('what was said', () => {
  test('reaches the next process as it was, in its order', () => {
    const restored = fromItems(sent().reverse());
    expect(restored.isEquivalent(new llm.ChatContext(items))).toBe(true);
    expect(restored.items.map(({ id, createdAt }) => [id, createdAt])).toEqual([
      ['1', 1],
      ['2', 2],
      ['3', 3],
      ['4', 4],
    ]);
  });

  test('has no instructions and nothing empty', () => {
    expect(toItem(llm.ChatMessage.create({ role: 'system', content: 'Be kind.' }))).toBeUndefined();
    expect(toItem(llm.ChatMessage.create({ role: 'user', content: ' ' }))).toBeUndefined();
  });
});

describe('a process', () => {
  const accepted = (attributes?: Record<string, string>) => ({
    acceptArguments: { name: '', identity: '', metadata: '', ...(attributes && { attributes }) },
  });

  test('with a new call waits for nothing', async () => {
    expect(await new CallResumption(accepted()).resumed).toBeUndefined();
  });

  test('with a call of another one waits for what was said', async () => {
    const resumption = new CallResumption(accepted({ [RESUMED_JOB]: 'true' }));
    resumption.receive({ type: 'resume', job: 'AJ_1', history: sent(), caller: 'ada', crashes: 1 });
    const resumed = await resumption.resumed;
    expect(resumed).toMatchObject({ caller: 'ada', crashes: 1, end: undefined });
    expect(resumed?.history.items).toHaveLength(4);
  });

  test('goes on without a memory when the worker says nothing for two seconds', async () => {
    jest.useFakeTimers();
    try {
      const { resumed } = new CallResumption(accepted({ [RESUMED_JOB]: 'true' }));
      await jest.advanceTimersByTimeAsync(2_000);
      expect((await resumed)?.history.items).toEqual([]);
    } finally {
      jest.useRealTimers();
    }
  });
});
