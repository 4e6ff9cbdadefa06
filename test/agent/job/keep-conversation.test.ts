// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { initializeLogger, llm, voice } from '@livekit/agents';
import { ConversationKeeper } from '../../../agent/src/job/keep-conversation.js';
import { ConversationRecord } from '../../../agent/src/supervision/conversation-record.js';

initializeLogger({ pretty: false, level: 'silent' });

const { AgentSessionEventTypes: Events } = voice;
const message = (id: string, role: 'user' | 'assistant', content: string) =>
  llm.ChatMessage.create({ id, role, content });

let kept: ConversationRecord;
let session: EventEmitter;
/** What the realtime session has. */
let live: llm.ChatContext;

beforeEach(() => {
  jest.useFakeTimers();
  kept = new ConversationRecord();
  session = new EventEmitter();
  live = new llm.ChatContext();
  const keeper = new ConversationKeeper({ keep: (item) => kept.add(item) });
  keeper.observeSession(session as unknown as voice.AgentSession);
  keeper.observeRealtimeSession({
    get chatCtx() {
      return live;
    },
  });
});
afterEach(() => {
  expect(jest.getTimerCount()).toBe(0);
  jest.useRealTimers();
});

const texts = () => kept.items.map(({ id, text, interrupted }) => [id, text, interrupted]);

test('messages and tools are kept as they happen', () => {
  session.emit(Events.ConversationItemAdded, { item: message('1', 'user', 'Hi.') });
  const call = llm.FunctionCall.create({ id: '2', callId: 'c', name: 'look_up', args: '{}' });
  const output = llm.FunctionCallOutput.create({
    id: '3',
    callId: 'c',
    name: 'look_up',
    output: '1',
    isError: false,
  });
  session.emit(Events.FunctionToolsExecuted, {
    functionCalls: [call],
    functionCallOutputs: [output],
  });
  expect(kept.items.map(({ type }) => type)).toEqual([
    'message',
    'function_call',
    'function_call_output',
  ]);
});

test('a reply is kept while it is spoken, as an interrupted one until it has ended', async () => {
  live = new llm.ChatContext([message('1', 'user', 'Hi.'), message('2', 'assistant', 'Hello.')]);
  session.emit(Events.AgentStateChanged, { newState: 'speaking' });
  expect(texts()).toEqual([['2', 'Hello.', true]]);
  live = new llm.ChatContext([message('2', 'assistant', 'Hello. How are you?')]);
  await jest.advanceTimersByTimeAsync(1_000);
  expect(texts()).toEqual([['2', 'Hello. How are you?', true]]);
  session.emit(Events.ConversationItemAdded, {
    item: message('2', 'assistant', 'Hello. How are you?'),
  });
  await jest.advanceTimersByTimeAsync(1_000);
  expect(texts()).toEqual([['2', 'Hello. How are you?', false]]);
  session.emit(Events.AgentStateChanged, { newState: 'listening' });
});

test('the end of the session is the end of it', () => {
  session.emit(Events.AgentStateChanged, { newState: 'speaking' });
  session.emit(Events.Close, {});
  expect(kept.items).toEqual([]);
});
