// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from '@jest/globals';
import type { llm } from '@livekit/agents';
import { NovaSonicError } from '../../../../packages/livekit-plugin-nova-sonic/src/protocol/errors.js';
import { ReplyFutures } from '../../../../packages/livekit-plugin-nova-sonic/src/session/reply-futures.js';
import { SessionHost } from '../../../../packages/livekit-plugin-nova-sonic/src/session/session-host.js';
import type { StreamLifecycle } from '../../../../packages/livekit-plugin-nova-sonic/src/session-events.js';
import { SteppedClock } from '../support/clocks.js';
import { reason } from '../support/log-capture.js';

function begin(readyAt?: (now: number) => number) {
  const clock = new SteppedClock();
  const log: string[] = [];
  const replies = new ReplyFutures(
    clock,
    1_000,
    (id, drop) => log.push(`cancelled ${id}${drop ? ', dropped' : ''}`),
    (error) => log.push(error.message),
    readyAt && (() => readyAt(clock.now())),
  );
  const create = (id: string, signal?: AbortSignal) =>
    replies.create(id, signal, () => log.push(`requested ${id}`));
  return { clock, log, replies, create };
}

const event = { responseId: 'r' } as llm.GenerationCreatedEvent;

describe('ReplyFutures', () => {
  test('each resolves when its own reply begins, and leaves nothing behind', async () => {
    const { clock, log, replies, create } = begin();
    const abort = new AbortController();
    const [one, two] = [create('one', abort.signal), create('two')];
    expect([replies.has('one'), replies.has('three'), replies.has(undefined)]).toEqual([
      true,
      false,
      false,
    ]);
    replies.resolve('one', event);
    replies.resolve('one', event);
    expect(await one).toBe(event);
    expect(replies.has('one')).toBe(false);
    abort.abort();
    replies.resolve('two', event);
    expect(await two).toBe(event);
    clock.advance(10_000);
    expect(clock.pending).toBe(0);
    expect(log).toEqual(['requested one', 'requested two']);
  });

  test('one that does not begin in time is given up, but may still be played', async () => {
    const { clock, log, replies, create } = begin();
    const refused = reason(create('late'));
    clock.advance(999);
    expect(replies.has('late')).toBe(true);
    clock.advance(1);
    expect(await refused).toMatch(/^RealtimeError: generateReply timed out/);
    expect(log).toEqual(['requested late', 'cancelled late', expect.stringContaining('timed out')]);
    expect(replies.has('late')).toBe(false);
  });

  test('one that waits for the first stream has its whole time from then on', async () => {
    let firstStreamAt: number | undefined;
    const { clock, replies, create } = begin((now) => firstStreamAt ?? now);
    const refused = reason(create('late'));
    clock.advance(30_500);
    expect(replies.has('late')).toBe(true);
    firstStreamAt = clock.now();
    clock.advance(999);
    expect(replies.has('late')).toBe(true);
    clock.advance(1);
    expect(await refused).toMatch(/^RealtimeError: generateReply timed out/);
    expect(clock.pending).toBe(0);
  });

  test('one that is aborted is not to be played either', async () => {
    const { clock, log, create } = begin();
    const abort = new AbortController();
    const refused = reason(create('one', abort.signal));
    abort.abort();
    expect(await refused).toContain('aborted');
    expect(await reason(create('two', AbortSignal.abort()))).toContain('aborted');
    // The second was never requested.
    expect(log).toEqual(['requested one', 'cancelled one, dropped', 'cancelled two, dropped']);
    expect(clock.pending).toBe(0);
  });

  test('one that an earlier reply answered too is settled, and nothing is discarded for it', async () => {
    const { clock, log, replies, create } = begin();
    const refused = reason(create('one'));
    replies.answered('one');
    replies.answered('two');
    expect(await refused).toContain('an earlier reply answered this question, too');
    expect(log).toEqual(['requested one', 'cancelled one']);
    expect(clock.pending).toBe(0);
  });

  test('all are rejected at the end of the session, once', async () => {
    const { clock, replies, create } = begin();
    const refused = ['one', 'two'].map((id) => reason(create(id)));
    replies.rejectAll(new Error('over'));
    replies.rejectAll(new Error('again'));
    expect(await Promise.all(refused)).toEqual(['Error: over', 'Error: over']);
    expect(clock.pending).toBe(0);
  });
});

describe('SessionHost', () => {
  const failure = () =>
    new NovaSonicError('throttled', 'too many', { retryable: true, region: 'r' });

  function host() {
    const rig = begin();
    const events: unknown[] = [];
    const logged: string[] = [];
    const note = (level: string) => (fields: object, message: string) =>
      logged.push(`${level}: ${message} ${Object.keys(fields)}`);
    const emitter = {
      emit: (name: string, payload: unknown) => events.push([name, payload]),
      emitError: (error: Error, recoverable: boolean) => events.push([error.message, recoverable]),
      emitBedrockEvent: (...args: unknown[]) => events.push(args),
    };
    const context = {
      logger: { debug: note('debug'), warn: note('warn'), error: note('error') },
      sessionSettings: {
        stream: 'settings',
        toolNames: { fromWire: (name: string) => `${name}!` },
      },
      effectHandler: { run: (effects: unknown) => events.push(effects) },
      emitter,
      replies: rig.replies,
      model: { model: 'sonic', provider: 'aws', label: () => 'label' },
    };
    return { ...rig, events, logged, host: new SessionHost(context as never) };
  }

  test('a call that is given up leaves no generateReply waiting', async () => {
    const { host: it, create, clock, events, logged } = host();
    const refused = reason(create('one'));
    it.failed(failure(), false);
    expect(await refused).toBe('RealtimeError: too many');
    expect(events).toEqual([['too many', false]]);
    expect(clock.pending).toBe(0);
    expect(logged).toEqual(['error: call cannot be served and ends kind,region,lk.pii.error']);
  });

  test('a call that goes on lets it wait for the next stream', () => {
    const { host: it, create, replies, events, logged } = host();
    void create('one').catch(() => {});
    it.failed(failure(), true);
    expect(replies.has('one')).toBe(true);
    expect(events).toEqual([['too many', true]]);
    expect(logged).toEqual(['warn: stream failed, call continues kind,region,lk.pii.error']);
  });

  test('passes on what the continuation tells, each to the one whom it concerns', () => {
    const { host: it, events } = host();
    expect(it.settings()).toBe('settings');
    expect(it.toolName('book')).toBe('book!');
    const stream = { type: 'renewed', streamId: 's', region: 'r', lane: 'r', at: 1 } as const;
    const started = [{ type: 'speech_started' } as const];
    it.lifecycle(stream);
    it.effects(started);
    it.reconnected();
    it.sent({ event: { sessionEnd: {} } }, 's');
    it.received({ event: {} }, 's');
    expect(events).toEqual([
      ['stream_lifecycle', stream],
      started,
      ['session_reconnected', {}],
      ['bedrock_client_event_queued', { event: { sessionEnd: {} } }, 's'],
      ['bedrock_server_event_received', { event: {} }, 's'],
    ]);
  });

  test('reports to LiveKit how long a stream took to open', () => {
    const { host: it, events } = host();
    const opened = { type: 'opened', streamId: 's', region: 'r', lane: 'r', at: 1, openMs: 70 };
    it.lifecycle(opened as StreamLifecycle);
    expect(events).toMatchObject([
      ['stream_lifecycle', opened],
      [
        'metrics_collected',
        { requestId: '', timestamp: 1, acquireTimeMs: 70, connectionReused: false, totalTokens: 0 },
      ],
    ]);
  });
});
