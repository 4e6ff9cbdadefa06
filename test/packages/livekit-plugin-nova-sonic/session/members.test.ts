// SPDX-License-Identifier: Apache-2.0
// The members of RealtimeModel and RealtimeSession in a real AgentSession against a scripted service; generateReply
// has a file of its own.
import { describe, expect, test } from '@jest/globals';
import { llm, log, type metrics } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import type { BargeIn, BedrockEvent, StreamLifecycle, TurnTiming } from 'livekit-plugin-nova-sonic';
import { z } from 'zod';
import { until } from '../../../support/wait.js';
import { reason, warnings } from '../support/log-capture.js';
import { rig, server, startAgent } from '../support/scripted-call.js';
import * as serverEvents from '../support/server-events.js';

describe('the small members', () => {
  test('truncate, pushVideo, commitAudio and clearAudio harm nothing and are logged once', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await stream.received('audioInput');
    const logged = await warnings(async () => {
      for (let i = 0; i < 2; i += 1) {
        rig.sonic.pushVideo({});
        await rig.sonic.truncate({ messageId: 'x', audioEndMs: 1 });
        await rig.sonic.interrupt();
        await rig.sonic.clearAudio();
      }
    });
    expect(logged).toHaveLength(2);
    const before = stream.said.length;
    // Half a piece, given to the session itself: nothing is sent before it is committed.
    rig.sonic.pushAudio(new AudioFrame(new Int16Array(160).fill(9), 16_000, 1, 160));
    await rig.sonic.commitAudio();
    const isHalfAPiece = (content: unknown) => {
      const samples = Buffer.from(String(content), 'base64');
      return samples.readInt16LE(0) === 9 && samples.readInt16LE(2 * 160) === 0;
    };
    await until('half a piece was sent, and silence after it', () =>
      stream.said
        .slice(before)
        .some((e) => e.name === 'audioInput' && isHalfAPiece(e.body.content)),
    );
  });

  test('close of the model closes its sessions, and a closed session does nothing more', async () => {
    await startAgent();
    const stream = await server.stream(0);
    await until('the stream is up', () => rig.sonic.connected);
    const { sonic } = rig;
    await rig.model.close();
    expect(stream.names.slice(-3)).toEqual(['contentEnd', 'promptEnd', 'sessionEnd']);
    expect(rig.model.openSessions).toBe(0);
    expect(sonic.connected).toBe(false);
    rig.hear(100);
    await sonic.interrupt();
    await sonic.updateTools(llm.ToolContext.empty());
    expect(await reason(sonic.generateReply('Hello'))).toContain('closed');
    await sonic.close();
    expect(server.streams).toHaveLength(1);
  });

  test('events of Bedrock, streams and turns are emitted, audio as its length', async () => {
    await startAgent();
    const sent: BedrockEvent[] = [];
    const received: BedrockEvent[] = [];
    const streams: StreamLifecycle[] = [];
    rig.sonic.on('bedrock_client_event_queued', (e: BedrockEvent) => sent.push(e));
    rig.sonic.on('bedrock_server_event_received', (e: BedrockEvent) => received.push(e));
    rig.sonic.on('stream_lifecycle', (e: StreamLifecycle) => streams.push(e));
    const stream = await server.stream(0);
    rig.hear(1_000, { loud: true });
    await until(
      'it was sent',
      () => stream.said.filter((e) => e.name === 'audioInput').length > 50,
    );
    const timing = rig.sonicEvent<TurnTiming>('turn_timing');
    // Speech ends at 600 ms of the stream, of which the first 100 are silence of ours.
    stream.send(
      serverEvents.speechStart(200),
      serverEvents.speechEnd(600),
      ...serverEvents.userText('Hi.'),
      ...serverEvents.reply('Ho.', 400),
    );
    const t = await timing;
    expect(t).toMatchObject({ interrupted: false, toolWaitMs: 0, audioMs: 400 });
    const [ended, sentAt, arrived, given] = [
      t.userSpeechEndedAt,
      t.userSpeechSentAt,
      t.firstAudioReceivedAt,
      t.firstAudioAt,
    ] as number[];
    expect(ended).toBeLessThanOrEqual((sentAt as number) + 1);
    expect(sentAt).toBeLessThanOrEqual(arrived as number);
    expect(arrived).toBeLessThanOrEqual(given as number);
    expect(given as number).toBeLessThanOrEqual(Date.now());
    await rig.close();
    // 640 bytes are a chunk of 20 ms; on a slow machine silence of 100 ms may follow it.
    expect(sent.filter((e) => e.name === 'audioInput').map((e) => e.event)).toContainEqual({
      audioInput: expect.objectContaining({ content: 640 }),
    });
    expect(received.find((e) => e.name === 'audioOutput')?.event).toMatchObject({
      audioOutput: { content: 3_840 },
    });
    expect(streams.at(-1)).toMatchObject({ type: 'closed', region: 'us-east-1', reason: 'closed' });
    expect(sent.every((e) => e.streamId === streams[0]?.streamId)).toBe(true);
  });

  test('logEvents logs the events of Bedrock without audio, text only under lk.pii', async () => {
    const logger = log() as unknown as Record<string, (...args: unknown[]) => void>;
    const before = logger.debug as (...args: unknown[]) => void;
    const events: Array<Record<string, unknown>> = [];
    logger.debug = (fields, message) => {
      if (String(message).startsWith('bedrock_')) events.push(fields as Record<string, unknown>);
    };
    try {
      await startAgent({ model: { logEvents: true }, instructions: 'A secret.' });
      const stream = await server.stream(0);
      stream.send(...serverEvents.userText('Another secret.'), ...serverEvents.reply('Hello.'));
      await rig.item('assistant', 'Hello');
    } finally {
      logger.debug = before;
    }
    expect(events.map((e) => e.event)).toEqual(
      expect.arrayContaining(['promptStart', 'audioInput', 'textOutput', 'audioOutput']),
    );
    const text = JSON.stringify(events);
    expect(text).toContain('Another secret.');
    expect(text).toContain('A secret.');
    expect(events.find((e) => e.event === 'audioOutput')).toMatchObject({
      'lk.pii.content': { audioOutput: { content: 3_840 } },
    });
    const open = events.map((fields) =>
      Object.fromEntries(Object.entries(fields).filter(([key]) => !key.startsWith('lk.pii.'))),
    );
    expect(JSON.stringify(open)).not.toContain('secret.');
  });

  test('turn_timing reports an interrupted generation, barge_in the reply that was spoken over', async () => {
    await startAgent({ speed: 1 });
    const logged: string[] = [];
    rig.sonic.on('turn_timing', (t: TurnTiming) => {
      logged.push(`${t.responseId} ${t.interrupted ? 'cut' : 'whole'}`);
    });
    rig.sonic.on('barge_in', (b: BargeIn) => logged.push(`${b.responseId} spoken over`));
    const created: string[] = [];
    rig.sonic.on('generation_created', (e: llm.GenerationCreatedEvent) =>
      created.push(e.responseId ?? ''),
    );
    const cancelled: boolean[] = [];
    rig.sonic.on('metrics_collected', (m: metrics.RealtimeModelMetrics) => {
      if (m.acquireTimeMs === undefined) cancelled.push(m.cancelled);
    });
    const stream = await server.stream(0);
    const speaking = () =>
      rig.event('agent_state_changed', (e: { newState: string }) => e.newState === 'speaking');
    const bargedIn = () => rig.sonicEvent<BargeIn>('barge_in');
    // The first is generated as a whole and only its playback is cut, the second is cut in the making.
    let heard: Promise<unknown> = speaking();
    stream.send(...serverEvents.userText('Talk.'), ...serverEvents.reply('A long story.', 20_000));
    await heard;
    let over = bargedIn();
    stream.send(serverEvents.speechStart(1));
    await over;
    heard = speaking();
    stream.send(
      serverEvents.speechEnd(2),
      ...serverEvents.userText('Another.'),
      ...serverEvents.plan('Well.'),
    );
    stream.send(...serverEvents.audioContent(20_000));
    await heard;
    over = bargedIn();
    stream.send(serverEvents.speechStart(3));
    await over;
    const [first, second] = created;
    expect(logged).toEqual([
      `${first} whole`,
      `${first} spoken over`,
      `${second} cut`,
      `${second} spoken over`,
    ]);
    expect(cancelled).toEqual([false, true]);
  });

  test('no timer delays the start: a session takes audio as soon as it is configured', async () => {
    // The Python plugin sleeps for half a second here. On this clock no timer ever fires.
    const clock = { now: () => Date.now(), after: () => () => {} };
    const x = llm.tool({ description: 'd', parameters: z.object({}), execute: async () => 1 });
    await startAgent({ model: { clock }, tools: { x } });
    const stream = await server.stream(0);
    await stream.received('audioInput');
    await rig.close();
  });
});
