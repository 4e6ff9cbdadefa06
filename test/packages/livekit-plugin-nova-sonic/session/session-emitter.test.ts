// SPDX-License-Identifier: Apache-2.0
import { EventEmitter } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import type { ResolvedOptions } from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import { SessionEmitter } from '../../../../packages/livekit-plugin-nova-sonic/src/session/session-emitter.js';

const NAME = 'bedrock_server_event_received';

function emitter(options: { logEvents?: boolean } = {}) {
  const events = new EventEmitter();
  const logged: unknown[] = [];
  const note = (level: string) => (fields: object, message: string) =>
    logged.push([level, message, fields]);
  const logger = { debug: note('debug'), warn: note('warn'), error: note('error') };
  const clock = { now: () => 5_000, after: () => () => {} };
  const session = new SessionEmitter(events, logger, 'label', {
    clock,
    logEvents: false,
    ...options,
  } as unknown as ResolvedOptions);
  return { events, logged, session };
}

describe('SessionEmitter', () => {
  test('a listener that throws keeps no other from hearing the event, and nobody from going on', () => {
    const { events, logged, session } = emitter();
    const heard: string[] = [];
    const broken = new Error('broken');
    events.on('input_speech_started', () => {
      throw broken;
    });
    events.once('input_speech_started', () => heard.push('once'));
    events.on('input_speech_started', () => heard.push('on'));
    session.emit('input_speech_started', {});
    session.emit('input_speech_started', {});
    expect(heard).toEqual(['once', 'on', 'on']);
    const complaint = [
      'error',
      'session listener threw',
      { error: broken, event: 'input_speech_started' },
    ];
    expect(logged).toEqual([complaint, complaint]);
  });

  test('an error that nobody listens to is in the log, and does not end the process', () => {
    const { events, logged, session } = emitter();
    const error = new Error('too many');
    session.emitError(error, true);
    expect(logged).toEqual([
      [
        'warn',
        'error event has no listener',
        expect.objectContaining({ error, label: 'label', recoverable: true }),
      ],
    ]);
    const heard: unknown[] = [];
    events.on('error', (event) => heard.push(event));
    session.emitError(error, false);
    expect(heard).toMatchObject([
      { type: 'realtime_model_error', error, label: 'label', recoverable: false },
    ]);
    expect(logged).toHaveLength(1);
  });

  test('events of the service cost nothing while nobody wants them', () => {
    const { events, logged, session } = emitter();
    const document = new Proxy(
      {},
      {
        get: () => {
          throw new Error('it was read');
        },
      },
    );
    expect(() => session.emitBedrockEvent(NAME, document, 's')).not.toThrow();
    events.on(NAME, () => {});
    expect(() => session.emitBedrockEvent(NAME, document, 's')).toThrow('it was read');
    expect(logged).toEqual([]);
  });

  test('events of the service are told with their name, and logged where that is wanted', () => {
    const { events, logged, session } = emitter({ logEvents: true });
    const told: unknown[] = [];
    events.on(NAME, (event) => told.push(event));
    session.emitBedrockEvent(NAME, { event: { textOutput: { content: 'Hi.' } } }, 's');
    session.emitBedrockEvent(NAME, { event: {} }, 's');
    const event = { textOutput: { content: 'Hi.' } };
    expect(told).toEqual([
      { streamId: 's', at: 5_000, name: 'textOutput', event },
      { streamId: 's', at: 5_000, name: 'unknown', event: {} },
    ]);
    expect(logged[0]).toEqual([
      'debug',
      NAME,
      { streamId: 's', event: 'textOutput', 'lk.pii.content': event },
    ]);
    expect(logged).toHaveLength(2);
  });

  test('a warning is logged once, with the error that came with it', () => {
    const { logged, session } = emitter();
    const error = new Error('why');
    session.warnOnce('careful', error);
    session.warnOnce('careful');
    session.warnOnce('slow');
    expect(logged).toEqual([
      ['warn', 'careful', { error }],
      ['warn', 'slow', {}],
    ]);
  });
});
