// SPDX-License-Identifier: Apache-2.0
// Defects of the Python plugin (docs/parity.md) that ours must not have: renewal of streams, and their end.
import { describe, expect, test } from '@jest/globals';
import { llm } from '@livekit/agents';
import type { StreamLifecycle } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { settle } from '../../support/manual-clock.js';
import { until } from '../../support/wait.js';
import { expectLegal } from './support/assert-protocol-order.js';
import { SteppedClock } from './support/clocks.js';
import { answer, rig, server, startAgent } from './support/scripted-call.js';
import { type ScriptedStream, welcome } from './support/scripted-server.js';
import * as serverEvents from './support/server-events.js';

const named = ([name, tool]: [string, llm.AnonFunctionTool]) =>
  ({ ...tool, id: name, name }) as unknown as llm.FunctionTool;

/** Lets time pass until the call has moved; it stands while a stream is on its way, however slow the machine is. */
function renewals(clock: SteppedClock): () => Promise<StreamLifecycle> {
  const connecting = new Set<string>();
  let renewed: StreamLifecycle | undefined;
  rig.sonic.on('stream_lifecycle', (event: StreamLifecycle) => {
    if (event.type === 'opening') connecting.add(event.streamId);
    else connecting.delete(event.streamId);
    if (event.type === 'renewed') renewed = event;
  });
  return async () => {
    await until('a stream is up', () => rig.sonic.connected);
    renewed = undefined;
    for (let ms = 0; !renewed && ms < 120_000; ms += 100) {
      clock.advance(100);
      await settle();
      await until('each stream is up', () => connecting.size === 0);
    }
    return renewed as unknown as StreamLifecycle;
  };
}

describe('renewal', () => {
  test('1: a call outlives many renewals: history, audio and replies go on', async () => {
    const clock = new SteppedClock();
    await startAgent({ model: { renewAfterMs: 6_000, clock } });
    let reconnected = 0;
    rig.sonic.on('session_reconnected', () => {
      reconnected += 1;
    });
    const renewal = renewals(clock);
    for (let i = 0; i < 4; i += 1) {
      const stream = await server.stream(i);
      await stream.received('audioInput');
      expect(reconnected).toBe(i);
      const before = stream.said.length;
      rig.hear(200);
      await until('the audio comes here', () => stream.said.length >= before + 10);
      answer(stream, `Question ${i}?`, `Answer ${i}.`);
      await rig.item('assistant', `Answer ${i}.`);
      await renewal();
    }
    await server.stream(4);
    for (const [i, stream] of server.streams.slice(0, 5).entries()) {
      await stream.received('audioInput');
      const history = stream.texts.filter((t) => t.role !== 'SYSTEM');
      expect(history.map((t) => t.text)).toEqual(
        Array.from({ length: i }, (_, n) => [`Question ${n}?`, `Answer ${n}.`]).flat(),
      );
      expect(history.some((t) => t.interactive)).toBe(false);
      expectLegal(stream);
    }
    expect(rig.errors).toEqual([]);
    await until('old streams are closed', () => server.open.length <= 2);
    for (const stream of server.streams.slice(0, 3)) {
      expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    }
  });

  test('13: a caller who never speaks does not delay a renewal', async () => {
    // Six seconds of the clock; the hard limit, which needs no quiet, would come 90 s after.
    const clock = new SteppedClock();
    await startAgent({ model: { renewAfterMs: 6_000, clock } });
    await (await server.stream(0)).received('audioInput');
    const renewal = renewals(clock);
    const first = await renewal();
    expect(first).toMatchObject({ reason: 'age' });
    expect(first.livedMs).toBeLessThan(60_000);
    // Nor does one who only ever barges in, so that no turn ends.
    const stream = server.streams.at(-1) as ScriptedStream;
    const id = serverEvents.newContentId();
    stream.send(
      ...serverEvents.userText('Talk.'),
      ...serverEvents.plan('Well.'),
      serverEvents.audioContentStart(id),
    );
    stream.send(...serverEvents.audioData(id, 200), serverEvents.audioEnd(id, 'INTERRUPTED'));
    stream.send(serverEvents.speechEnd(10));
    expect((await renewal()).livedMs).toBeLessThan(60_000);
  });

  test('16: the credentials of a stream stay, and it is renewed before they end', async () => {
    let provided = 0;
    const credentials = async () => {
      provided += 1;
      return {
        accessKeyId: `KEY${provided}`,
        secretAccessKey: 'secret',
        sessionToken: `token${provided}`,
        expiration: new Date(Date.now() + (provided === 1 ? 60_300 : 3_600_000)),
      };
    };
    await startAgent({ model: { credentials } });
    rig.hear(1_000);
    const renewed = rig.sonicEvent<StreamLifecycle>(
      'stream_lifecycle',
      (e) => e.type === 'renewed',
    );
    expect((await renewed).reason).toBe('credentials');
    rig.hear(1_000);
    const [first, second] = server.streams as [ScriptedStream, ScriptedStream];
    await until('audio on the second', () => second.said.length > 40);
    expect(first.headers.authorization).toContain('Credential=KEY1/');
    expect(second.headers.authorization).toContain('Credential=KEY2/');
    expect(provided).toBe(2);
  });

  test('17: changed tools take effect after the reply, several changes make one renewal', async () => {
    const make = (parameters: z.ZodObject) => ({
      look_up: llm.tool({ description: 'd', parameters, execute: async () => 'x' }),
    });
    const clock = new SteppedClock();
    await startAgent({ tools: make(z.object({})), speed: 20, model: { clock } });
    const stream = await server.stream(0);
    const id = serverEvents.newContentId();
    stream.send(
      ...serverEvents.userText('Talk.'),
      ...serverEvents.plan('A reply.'),
      serverEvents.audioContentStart(id),
    );
    stream.send(...serverEvents.audioData(id, 400));
    await rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    // The same name with another schema, twice, in the middle of the reply.
    await rig.agent.updateTools(Object.entries(make(z.object({ a: z.string() }))).map(named));
    await rig.agent.updateTools(Object.entries(make(z.object({ b: z.number() }))).map(named));
    // Time enough for a renewal that would not wait for the end of the reply.
    let opened = 1;
    rig.sonic.on('stream_lifecycle', ({ type }: StreamLifecycle) => {
      if (type === 'opening') opened += 1;
    });
    clock.advance(2_000);
    expect(opened).toBe(1);
    stream.send(...serverEvents.audioData(id, 400), serverEvents.audioEnd(id, 'END_TURN'));
    await rig.item('assistant', 'A reply.');
    expect(rig.speaker.playedMs).toBe(800);
    for (let ms = 0; opened === 1 && ms < 60_000; ms += 100) clock.advance(100);
    const next = await server.stream(1);
    const start = await next.received('promptStart');
    expect(JSON.stringify(start.body)).toContain('\\"b\\"');
    await until('the old stream is closed in order', () => stream.names.at(-1) === 'sessionEnd');
    answer(next, 'And?', 'Fine.');
    await rig.item('assistant', 'Fine.');
    expect(server.streams).toHaveLength(2);
    expectLegal(next);
  });
});

describe('close', () => {
  test('9: closed at any moment, nothing stays open', async () => {
    const silent = (s: ScriptedStream) => s;
    const refused = (s: ScriptedStream) => s.refuse(429, 'ThrottlingException', 'full');
    /** How far the call has come when it is closed. */
    const moments: Record<string, (clock: SteppedClock) => Promise<unknown>> = {
      'at once': async () => {},
      'while the stream is opened': () => server.stream(server.streams.length),
      'in the life of the stream': async (clock) => {
        const { type } = await rig.sonicEvent<StreamLifecycle>('stream_lifecycle');
        if (type === 'opened') clock.advance(200);
      },
    };
    for (const behaviour of [welcome, silent, refused]) {
      for (const [moment, reached] of Object.entries(moments)) {
        if (behaviour === silent && moment === 'in the life of the stream') continue;
        server.onStream = behaviour as never;
        const clock = new SteppedClock();
        await startAgent({ model: { renewAfterMs: 100, clock } });
        await reached(clock);
        const closed = rig.close();
        // A stream that does not answer its end is cut.
        for (let ms = 0; ms < 10_000; ms += 500) {
          await settle();
          clock.advance(500);
        }
        await closed;
        expect(rig.model.openSessions).toBe(0);
        expect(clock.pending).toBe(0);
      }
    }
    await until('no stream is open', () => server.open.length === 0);
  });

  test('9: a stream that is up is ended in order, also during a renewal', async () => {
    server.onStream = (s, i) => {
      if (i === 0) welcome(s, i);
    };
    await startAgent({ model: { renewAfterMs: 100 } });
    const first = await server.stream(0);
    await server.stream(1);
    await rig.close();
    expect(first.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    await until('no stream is open', () => server.open.length === 0);
  });
});
