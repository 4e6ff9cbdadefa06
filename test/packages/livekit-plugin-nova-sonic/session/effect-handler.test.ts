// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import type { llm } from '@livekit/agents';
import {
  EffectHandler,
  type EffectHandlerContext,
} from '../../../../packages/livekit-plugin-nova-sonic/src/session/effect-handler.js';
import type {
  Effect,
  ResponseRecord,
} from '../../../../packages/livekit-plugin-nova-sonic/src/turns/effects.js';

const response = (more: Partial<ResponseRecord> = {}): ResponseRecord => ({
  id: 'r',
  messageId: 'm',
  requestedAt: 1_000,
  openedAt: 1_200,
  closedAt: 3_000,
  audioMs: 800.4,
  interrupted: false,
  toolWaitMs: 150,
  tokens: { inputAudio: 7, inputText: 5, outputAudio: 40, outputText: 10 },
  ...more,
});
const toolCall: Effect = {
  type: 'tool_call',
  id: 'r',
  itemId: 'i',
  callId: 'c',
  name: 'book',
  args: '{}',
};

function handle(options: { waiting?: string[]; forbidden?: boolean } = {}) {
  const events: [string, unknown][] = [];
  const log: unknown[] = [];
  const waiting = new Set(options.waiting);
  const context = {
    model: { model: 'sonic', provider: 'aws', label: () => 'label' },
    clock: { now: () => 2_500, after: () => () => {} },
    outputSampleRate: 24_000,
    emitter: { emit: (name: string, payload: unknown) => events.push([name, payload]) },
    replies: {
      has: (id: string | undefined) => id !== undefined && waiting.has(id),
      resolve: (id: string, event: llm.GenerationCreatedEvent) => log.push(['began', id, event]),
      answered: (id: string) => log.push(['answered', id]),
    },
    tools: {
      called: (effect: unknown, forbidden: boolean) => {
        log.push(['called', effect, forbidden]);
        return !forbidden;
      },
      calls: { interrupted: () => log.push('interrupted') },
    },
    toolsForbidden: () => options.forbidden ?? false,
    onError: (error: Error, effect: string) => log.push([error.message, effect]),
  };
  const handler = new EffectHandler(context as unknown as EffectHandlerContext);
  return {
    events,
    log,
    run: (...effects: Effect[]) => handler.run(effects),
    generation: () => events[0]?.[1] as llm.GenerationCreatedEvent,
    context,
  };
}

const calls = async (generation: llm.GenerationCreatedEvent) => {
  const all: llm.FunctionCall[] = [];
  for await (const call of generation.functionStream) all.push(call as llm.FunctionCall);
  return all;
};

describe('EffectHandler', () => {
  test('a reply that generateReply waits for is its own, and no other', () => {
    const { run, generation, log } = handle({ waiting: ['q'] });
    run({ type: 'generation_opened', response: response(), requestId: 'q' });
    expect(generation()).toMatchObject({ responseId: 'r', userInitiated: true });
    expect(log).toEqual([['began', 'q', generation()]]);
  });

  test.each([undefined, 'given up'])('a reply to the request %s is not', (requestId) => {
    const { run, generation, log } = handle({ waiting: ['q'] });
    run({ type: 'generation_opened', response: response(), ...(requestId && { requestId }) });
    expect(generation().userInitiated).toBe(false);
    expect(log).toEqual([]);
  });

  test('tokens of each kind go to the field of their name, and the times count from the request', () => {
    const { run, events } = handle();
    run(
      { type: 'generation_opened', response: response() },
      { type: 'audio', id: 'r', content: Buffer.alloc(480).toString('base64') },
      {
        type: 'generation_closed',
        reason: 'end_turn',
        response: response({ firstAudioAt: 1_400, userSpeechEndedAt: 900, userSpeechSentAt: 950 }),
      },
    );
    const [, [, metrics], [, timing]] = events as [unknown, [string, unknown], [string, unknown]];
    expect(events.map(([name]) => name)).toEqual([
      'generation_created',
      'metrics_collected',
      'turn_timing',
    ]);
    expect(metrics).toEqual({
      type: 'realtime_model_metrics',
      label: 'label',
      requestId: 'r',
      timestamp: 1_000,
      durationMs: 2_000,
      ttftMs: 400,
      cancelled: false,
      inputTokens: 12,
      outputTokens: 50,
      totalTokens: 62,
      tokensPerSecond: 25,
      inputTokenDetails: { audioTokens: 7, textTokens: 5, imageTokens: 0, cachedTokens: 0 },
      outputTokenDetails: { audioTokens: 40, textTokens: 10, imageTokens: 0 },
      metadata: { modelName: 'sonic', modelProvider: 'aws' },
    });
    expect(timing).toEqual({
      responseId: 'r',
      userSpeechEndedAt: 900,
      userSpeechSentAt: 950,
      firstAudioReceivedAt: 1_400,
      firstAudioAt: 2_500,
      interrupted: false,
      toolWaitMs: 150,
      audioMs: 800,
    });
  });

  test('a question that an earlier reply answered waits no longer', () => {
    const { run, events, log } = handle({ waiting: ['q'] });
    run({ type: 'request_answered', id: 'q' });
    expect(log).toEqual([['answered', 'q']]);
    expect(events).toEqual([]);
  });

  test('a reply that nobody heard has no timing, but its tokens count', () => {
    const { run, events } = handle();
    run(
      { type: 'generation_opened', response: response() },
      { type: 'generation_closed', reason: 'lost', response: response({ interrupted: true }) },
    );
    expect(events.map(([name]) => name)).toEqual(['generation_created', 'metrics_collected']);
    expect(events[1]?.[1]).toMatchObject({ ttftMs: -1, cancelled: true, totalTokens: 62 });
  });

  test('a closed reply ends its channels and takes no more', async () => {
    const { run, generation } = handle();
    run(
      { type: 'generation_opened', response: response() },
      { type: 'generation_closed', reason: 'end_turn', response: response() },
      { type: 'text', id: 'r', text: 'late' },
      toolCall,
    );
    expect(await calls(generation())).toEqual([]);
    const messages: unknown[] = [];
    for await (const message of generation().messageStream) messages.push(message);
    expect(messages).toEqual([]);
  });

  test.each([
    ['in any reply', {}, undefined, false],
    ['where tools are forbidden, in a reply to the caller', { forbidden: true }, undefined, false],
    ['in a requested reply that may not', { forbidden: true, waiting: ['q'] }, 'q', true],
  ])('a tool call %s', async (_, options, requestId, forbidden) => {
    const { run, generation, log } = handle(options);
    run(
      { type: 'generation_opened', response: response(), ...(requestId && { requestId }) },
      toolCall,
      { type: 'generation_closed', reason: 'tool_call', response: response() },
    );
    expect(log.at(-1)).toEqual(['called', toolCall, forbidden]);
    const told = (await calls(generation())).map(({ id, callId, name, args }) => [
      id,
      callId,
      name,
      args,
    ]);
    expect(told).toEqual(forbidden ? [] : [['i', 'c', 'book', '{}']]);
  });

  test('speech, transcripts and barge-ins', () => {
    const { run, events, log } = handle();
    run(
      { type: 'speech_started' },
      { type: 'speech_stopped' },
      { type: 'transcript', itemId: 'i', text: 'Hi', final: true, startedAt: 5 },
      { type: 'barge_in', sign: 'stop_reason', at: 6, id: 'r' },
    );
    expect(events).toEqual([
      ['input_speech_started', {}],
      ['input_speech_stopped', { userTranscriptionEnabled: false }],
      [
        'input_audio_transcription_completed',
        { itemId: 'i', transcript: 'Hi', isFinal: true, turnStartedAt: 5 },
      ],
      ['barge_in', { at: 6, sign: 'stop_reason', responseId: 'r' }],
    ]);
    expect(log).toEqual(['interrupted']);
  });

  test('what is left of a reply that is gone is dropped, but its tool is called and its tokens count', () => {
    const { run, events, log } = handle();
    run(
      { type: 'text', id: 'r', text: 'late' },
      { type: 'audio', id: 'r', content: '' },
      toolCall,
      { type: 'generation_closed', reason: 'lost', response: response({ firstAudioAt: 1_400 }) },
    );
    expect(log).toEqual([['called', toolCall, false]]);
    expect(events).toMatchObject([
      ['metrics_collected', { totalTokens: 62 }],
      ['turn_timing', { responseId: 'r', firstAudioAt: undefined }],
    ]);
  });

  test('text reaches the reply that it is of', async () => {
    const { run, generation } = handle();
    run(
      { type: 'generation_opened', response: response() },
      { type: 'text', id: 'r', text: 'Hello.' },
      { type: 'generation_closed', reason: 'end_turn', response: response() },
    );
    const texts: string[] = [];
    for await (const message of generation().messageStream)
      for await (const text of message.textStream) texts.push(text as string);
    expect(texts).toEqual(['Hello.']);
  });

  test('an effect that throws does not keep the others from being handled', () => {
    const { run, events, log, context } = handle();
    context.tools.calls.interrupted = () => {
      throw new Error('broken');
    };
    run({ type: 'barge_in', sign: 'user_text', at: 1 }, { type: 'speech_started' });
    expect(log).toEqual([['broken', 'barge_in']]);
    expect(events).toEqual([['input_speech_started', {}]]);
  });
});
