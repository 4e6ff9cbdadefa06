// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, type voice } from '@livekit/agents';
import type { RealtimeSession } from 'livekit-plugin-nova-sonic';
import type { CallEventPublisher } from '../../../agent/src/call/call-event-publisher.js';
import type { PublishedBedrockEvent } from '../../../agent/src/call/call-events.js';
import { addEvent, publishBedrockEvents } from '../../../agent/src/call/publish-bedrock-events.js';
import { publishRealtimeSession, publishSession } from '../../../agent/src/call/publish-session.js';

initializeLogger({ pretty: false, level: 'silent' });

/** What is published, each with its time where one is given. */
function listen() {
  const published: unknown[] = [];
  const publish = (event: object, at?: number) =>
    published.push(at === undefined ? event : { ...event, at });
  const publisher = { publish } as unknown as CallEventPublisher;
  return { published, publisher, events: new EventEmitter() };
}

describe('publishSession', () => {
  function start() {
    const { published, publisher, events } = listen();
    const ended = publishSession(events as unknown as voice.AgentSession, publisher);
    return { published, events, ended };
  }

  it('publishes who speaks, since when', () => {
    const { events, published } = start();
    events.emit('agent_state_changed', { newState: 'speaking', createdAt: 5 });
    events.emit('user_state_changed', { newState: 'listening', createdAt: 6 });
    expect(published).toEqual([
      { type: 'state', who: 'agent', state: 'speaking', at: 5 },
      { type: 'state', who: 'user', state: 'listening', at: 6 },
    ]);
  });

  it('publishes what was said, and nothing else of the chat context', () => {
    const { events, published } = start();
    const add = (item: object) => events.emit('conversation_item_added', { item });
    add({ type: 'message', role: 'user', textContent: 'Hi', interrupted: false });
    add({ type: 'message', role: 'assistant', textContent: undefined, interrupted: true });
    add({ type: 'message', role: 'system', textContent: 'secret', interrupted: false });
    add({ type: 'function_call', name: 'book' });
    expect(published).toEqual([
      { type: 'message', role: 'user', text: 'Hi', interrupted: false },
      { type: 'message', role: 'assistant', text: '', interrupted: true },
    ]);
  });

  it.each([
    ['of a model', { error: new Error('no stream'), recoverable: true }, 'no stream', true],
    ['by itself', new Error('broken'), 'broken', false],
    ['that is no Error', { error: 'text' }, 'text', false],
  ])('publishes an error %s', (_, error, message, recoverable) => {
    const { events, published } = start();
    events.emit('error', { error });
    expect(published).toEqual([{ type: 'error', message, recoverable }]);
  });

  it.each([
    [{ reason: 'user_initiated' }, 'user_initiated'],
    [{ reason: 'error', error: { error: new Error('gave up') } }, 'error: gave up'],
  ])('says why the session closed', async (closed, reason) => {
    const { events, ended } = start();
    events.emit('close', closed);
    expect(await ended).toBe(reason);
  });
});

describe('publishRealtimeSession', () => {
  function start() {
    const { published, publisher, events } = listen();
    publishRealtimeSession(events as unknown as RealtimeSession, publisher);
    return { published, events };
  }

  it('adds up the tokens of each kind, each in the field of its name', () => {
    const { events, published } = start();
    const use = (audioIn: number, textIn: number, audioOut: number, textOut: number) =>
      events.emit('metrics_collected', {
        inputTokenDetails: { audioTokens: audioIn, textTokens: textIn },
        outputTokenDetails: { audioTokens: audioOut, textTokens: textOut },
      });
    use(1, 20, 300, 4_000);
    use(5, 60, 700, 8_000);
    expect(published).toEqual([
      { type: 'usage', audioIn: 1, textIn: 20, audioOut: 300, textOut: 4_000 },
      { type: 'usage', audioIn: 6, textIn: 80, audioOut: 1_000, textOut: 12_000 },
    ]);
    // An event that was published does not change any more.
    expect(published[0]).not.toBe(published[1]);
  });

  it('publishes turns, barge-ins, tool calls and streams with their own times', () => {
    const { events, published } = start();
    events.emit('turn_timing', { responseId: 'r', interrupted: false });
    events.emit('barge_in', { at: 1, sign: 'stop_reason', responseId: 'r' });
    events.emit('tool_call_started', { at: 2, callId: 'c', name: 'book', args: '{}' });
    const ended = { callId: 'c', name: 'book', args: '{}', output: 'ok', isError: false, ms: 9 };
    events.emit('tool_call_ended', { at: 3, ...ended });
    events.emit('stream_lifecycle', { type: 'opened', streamId: 's', region: 'r', at: 4 });
    expect(published).toEqual([
      { type: 'turn', responseId: 'r', interrupted: false },
      { type: 'barge_in', sign: 'stop_reason', responseId: 'r', at: 1 },
      { type: 'tool_started', callId: 'c', name: 'book', args: '{}', at: 2 },
      {
        type: 'tool',
        callId: 'c',
        name: 'book',
        args: '{}',
        result: 'ok',
        isError: false,
        ms: 9,
        at: 3,
      },
      { type: 'stream', event: 'opened', streamId: 's', region: 'r', at: 4 },
    ]);
  });
});

describe('publishBedrockEvents', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('publishes the events of a quarter of a second together, both ways, each once', () => {
    const { published, publisher, events } = listen();
    publishBedrockEvents(events as unknown as RealtimeSession, publisher);
    const event = (name: string, body: object, at: number) => ({
      streamId: 's',
      at,
      name,
      event: { [name]: body },
    });
    events.emit('bedrock_client_event_queued', event('audioInput', { content: 640 }, 1));
    jest.advanceTimersByTime(100);
    events.emit('bedrock_server_event_received', event('textOutput', { content: 'Hi' }, 2));
    events.emit('bedrock_client_event_queued', event('audioInput', { content: 640 }, 3));
    jest.advanceTimersByTime(149);
    expect(published).toEqual([]);
    jest.advanceTimersByTime(1);
    events.emit('bedrock_client_event_queued', event('sessionEnd', {}, 4));
    jest.advanceTimersByTime(250);
    const common = { streamId: 's' };
    expect(published).toEqual([
      {
        type: 'wire',
        events: [
          {
            ...common,
            direction: 'in',
            at: 1,
            name: 'audioInput',
            event: { content: '<640 bytes>' },
            count: 2,
            until: 3,
          },
          { ...common, direction: 'out', at: 2, name: 'textOutput', event: { content: 'Hi' } },
        ],
      },
      {
        type: 'wire',
        events: [{ ...common, direction: 'in', at: 4, name: 'sessionEnd', event: {} }],
      },
    ]);
    jest.advanceTimersByTime(10_000);
    expect(published).toHaveLength(2);
  });

  it.each([
    ['another direction', { direction: 'out' as const, name: 'audioOutput' }],
    ['another name', { name: 'audioOutput' }],
    ['another stream', { streamId: 't' }],
    ['another size', { event: { content: '<320 bytes>' } }],
  ])('counts audio of %s apart', (_, other) => {
    const audio: PublishedBedrockEvent = {
      at: 1,
      direction: 'in',
      streamId: 's',
      name: 'audioInput',
      event: { content: '<640 bytes>' },
    };
    const batch: PublishedBedrockEvent[] = [];
    for (const one of [audio, { ...audio, ...other }]) addEvent(batch, one);
    expect(batch).toHaveLength(2);
  });

  it('counts no two events together that are not audio', () => {
    const text: PublishedBedrockEvent = {
      at: 1,
      direction: 'out',
      streamId: 's',
      name: 'textOutput',
      event: { content: 'Hi' },
    };
    const batch: PublishedBedrockEvent[] = [];
    for (const one of [text, { ...text }]) addEvent(batch, one);
    expect(batch).toHaveLength(2);
  });
});
