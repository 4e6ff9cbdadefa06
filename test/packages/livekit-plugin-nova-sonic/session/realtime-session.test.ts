// SPDX-License-Identifier: Apache-2.0
// How the parts of a session are joined, in virtual time and without a socket: what it forgets, withdraws and leaves.
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { initializeLogger, llm, type metrics } from '@livekit/agents';
import { AudioFrame, AudioResampler } from '@livekit/rtc-node';
import { RealtimeModel, type RealtimeModelOptions } from 'livekit-plugin-nova-sonic';
import { settle } from '../../../support/manual-clock.js';
import { SteppedClock } from '../support/clocks.js';
import { FakeBedrock } from '../support/fake-bedrock.js';
import { reason } from '../support/log-capture.js';
import { usage } from '../support/scripted-server.js';
import * as serverEvents from '../support/server-events.js';

initializeLogger({ pretty: false, level: 'silent' });
afterEach(() => {
  jest.restoreAllMocks();
});

const tool = (name: string) =>
  llm.tool({ name, description: name, execute: () => new Promise<string>(() => {}) });

/** A session that is configured, and whose stream is up. */
async function begin(options: RealtimeModelOptions = {}, tools: llm.ToolContext['tools'] = []) {
  const clock = new SteppedClock();
  const bedrock = new FakeBedrock();
  const model = new RealtimeModel({
    region: 'us-east-1',
    clock,
    client: bedrock as never,
    voiceActivityDetector: () => ({ predict: (samples) => ((samples[0] ?? 0) > 500 ? 1 : 0) }),
    ...options,
  });
  const session = model.session();
  const errors: string[] = [];
  session.on('error', ({ error }: llm.RealtimeModelError) => errors.push(error.message));
  await session._updateSession('Be brief.', new llm.ChatContext(), new llm.ToolContext([...tools]));
  await settle();
  const rig = {
    clock,
    bedrock,
    model,
    session,
    errors,
    /** Time passes, and everything reacts. */
    async pass(ms: number) {
      for (let left = ms; left > 0; left -= 100) {
        clock.advance(Math.min(100, left));
        await settle();
      }
    },
    async up(index: number) {
      bedrock.stream(index).tell(usage());
      await settle();
    },
    hear(ms: number, sample: number, rate = 16_000) {
      const length = (ms * rate) / 1_000;
      session.pushAudio(new AudioFrame(new Int16Array(length).fill(sample), rate, 1, length));
    },
    async tell(index: number, ...events: Record<string, unknown>[]) {
      bedrock.stream(index).tell(...events);
      await settle();
    },
  };
  await rig.up(0);
  return rig;
}

const typed = (session: { chatCtx: llm.ChatContext }, content: string) => {
  const chatCtx = session.chatCtx.copy();
  chatCtx.addMessage({ role: 'user', content });
  return chatCtx;
};

describe('the end of a session', () => {
  test('leaves nothing: no timer, no stream, no promise, no resampler', async () => {
    const freed = jest.spyOn(AudioResampler.prototype, 'close');
    const { session, model, clock, bedrock, hear } = await begin();
    hear(100, 7, 48_000);
    const asked = reason(session.generateReply('Greet.'));
    // Another stream would be asked for in 50 ms.
    await session.updateInstructions('Be verbose.');
    expect(model.openSessions).toBe(1);
    await session.close();
    await settle();
    expect(await asked).toBe('RealtimeError: the session was closed');
    expect(clock.pending).toBe(0);
    expect(bedrock.streams.map(({ inputEnded }) => inputEnded)).toEqual([true]);
    expect(bedrock.stream(0).names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    expect(model.openSessions).toBe(0);
    expect(freed).toHaveBeenCalledTimes(1);
  });

  test('of one of several closes no other, that of the model closes all', async () => {
    const { session, model, up } = await begin();
    const others = [model.session(), model.session()];
    await session.close();
    expect(model.openSessions).toBe(2);
    await model.close();
    expect(model.openSessions).toBe(0);
    for (const other of others)
      expect(await reason(other.generateReply('Hi'))).toContain('the session is closed');
    await up(0);
  });

  test('counts the tokens that no reply did, once and only if there are any', async () => {
    const counted: number[] = [];
    for (const tokens of [22, 0]) {
      const { session, tell } = await begin();
      session.on('metrics_collected', (m: metrics.RealtimeModelMetrics) => {
        if (m.acquireTimeMs === undefined) counted.push(m.totalTokens);
      });
      await tell(0, ...serverEvents.reply('Hi.', 80));
      if (tokens > 0) await tell(0, usage(tokens));
      await session.close();
    }
    // A reply without tokens, what was left over; and a reply after which nothing was.
    expect(counted).toEqual([0, 22, 0]);
  });

  test('ends a reply that is still being said', async () => {
    const { session, tell } = await begin();
    let reply: llm.GenerationCreatedEvent | undefined;
    session.on('generation_created', (event) => {
      reply = event;
    });
    await tell(0, ...serverEvents.plan('A long story.'));
    await session.close();
    const texts: string[] = [];
    for await (const message of reply?.messageStream ?? [])
      for await (const text of message.textStream) texts.push(String(text));
    expect(texts).toEqual(['A long story.']);
  });

  test('takes no result, audio or restart any more', async () => {
    const { session, bedrock, hear, tell } = await begin({}, [tool('book')]);
    await tell(0, ...serverEvents.toolUse('book', {}, 'use-1'));
    await session.close();
    const said = bedrock.stream(0).said.length;
    const result = {
      kind: 'tool_result',
      id: 'x',
      at: 1,
      callId: 'use-1',
      name: 'book',
      output: '1',
      isError: false,
    } as const;
    expect(session.takeResult(result)).toBe(false);
    hear(100, 7);
    await session.commitAudio();
    session.initializeStreams(true);
    await settle();
    expect(bedrock.stream(0).said).toHaveLength(said);
    expect(bedrock.streams).toHaveLength(1);
  });
});

describe('a tool that runs while its agent hands over', () => {
  test('is the next session’s: its result is told there, and the call is quiet only after it', async () => {
    const { session, model, bedrock, tell, pass } = await begin({}, [tool('book')]);
    await tell(0, ...serverEvents.toolUse('book', { seats: 2 }, 'use-1'));
    const options = { toolCallId: 'use-1' } as never;
    void session.tools.getFunctionTool('book')?.execute({ seats: 2 }, options);
    await settle();
    const chatCtx = session.chatCtx.copy();
    await session.close();
    const next = model.session();
    await next._updateSession('Go on.', chatCtx, new llm.ToolContext([tool('book')]));
    await settle();
    await tell(1, usage());
    // A renewal waits for a quiet moment, which is not while a tool runs.
    void next.renew();
    await pass(2_000);
    expect(bedrock.streams).toHaveLength(2);
    const done = chatCtx.copy();
    done.items.push(
      llm.FunctionCallOutput.create({
        callId: 'use-1',
        name: 'book',
        output: '"booked"',
        isError: false,
      }),
    );
    // The framework hands it to the session that made the call.
    await session.updateChatCtx(done);
    await settle();
    expect(bedrock.stream(1).texts.at(-1)).toMatch(/book.*booked/s);
    await tell(1, ...serverEvents.reply('Booked.', 80));
    await pass(2_000);
    expect(bedrock.streams).toHaveLength(3);
    await model.close();
  });
});

describe('what is withdrawn', () => {
  test('audio that is cleared is neither sent nor replayed, half a piece included', async () => {
    const { session, bedrock, hear, up, clock } = await begin({ inputChunkMs: 20 });
    clock.advance(20);
    hear(30, 1_111);
    await session.clearAudio();
    clock.advance(20);
    hear(20, 222);
    await settle();
    // The piece that was complete had gone out at once; the rest of it is gone.
    expect(bedrock.stream(0).audio.filter(Boolean)).toEqual([1_111, 222]);
    session.initializeStreams(true);
    await settle();
    await up(1);
    expect(bedrock.stream(1).audio.filter(Boolean)).toEqual([222]);
    await session.close();
  });

  test('a setting that is changed back makes no other stream', async () => {
    const { session, bedrock, pass, tell } = await begin();
    await tell(0, serverEvents.speechStart());
    await session.updateInstructions('Be verbose.');
    await pass(200);
    await session.updateInstructions('Be brief.');
    await pass(200);
    await tell(0, serverEvents.speechEnd(), ...serverEvents.userText('Hi.'));
    await tell(0, ...serverEvents.reply('Ho.', 80));
    await pass(3_000);
    expect(bedrock.streams).toHaveLength(1);
    await session.close();
  });

  test('a message that is answered needs no other stream, and is asked once', async () => {
    const { session, bedrock, pass, tell } = await begin({ chatCtxUpdates: 'renew' });
    await tell(0, serverEvents.speechStart());
    await session.updateChatCtx(typed(session, 'And by text?'));
    void session.generateReply().catch(() => {});
    await settle();
    await tell(0, serverEvents.speechEnd(), ...serverEvents.userText('Hi.'));
    await tell(0, ...serverEvents.reply('Ho.', 80), ...serverEvents.reply('By text.', 80));
    await pass(3_000);
    expect(bedrock.streams).toHaveLength(1);
    void session.generateReply('Say goodbye.').catch(() => {});
    await settle();
    expect(bedrock.stream(0).texts.slice(1)).toEqual(['And by text?', 'Say goodbye.']);
    await session.close();
  });

  test('an interrupted reply has its tool answered, when the framework never ran it', async () => {
    const { session, bedrock, tell, pass } = await begin({}, [tool('book')]);
    await tell(0, ...serverEvents.toolUse('book', {}, 'use-1'));
    await session.interrupt();
    await pass(2_900);
    expect(bedrock.stream(0).names).not.toContain('toolResult');
    await pass(200);
    expect(bedrock.stream(0).names).toContain('toolResult');
    await session.close();
  });
});

describe('what does not wait', () => {
  test('a restart: the call moves while the caller speaks', async () => {
    const { session, bedrock, tell } = await begin();
    await tell(0, serverEvents.speechStart());
    session.initializeStreams();
    await settle();
    expect(bedrock.streams).toHaveLength(1);
    session.initializeStreams(true);
    await settle();
    expect(bedrock.streams).toHaveLength(2);
    await session.close();
  });

  test('the second attempt: a question is asked again when the service has been silent for ten seconds', async () => {
    const { session, bedrock, pass, tell, errors } = await begin();
    await tell(0, serverEvents.speechStart(), serverEvents.speechEnd());
    await tell(0, ...serverEvents.userText('Are you there?'));
    await pass(9_900);
    expect(bedrock.streams).toHaveLength(1);
    await pass(1_000);
    expect(bedrock.streams).toHaveLength(2);
    expect(bedrock.stream(1).texts.at(-1)).toBe('Are you there?');
    expect(errors).toHaveLength(1);
    await session.close();
  });
});

test('a frame that cannot be read is left out, and the next one is heard', async () => {
  const { session, bedrock, hear } = await begin({ inputChunkMs: 20 });
  expect(() => session.pushAudio(undefined as unknown as AudioFrame)).not.toThrow();
  hear(20, 333);
  await settle();
  expect(bedrock.stream(0).audio).toContain(333);
  await session.close();
});
