// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { describe, expect, it } from '@jest/globals';
import type { AgentServer } from '@livekit/agents';
import { LoadReporter } from '../../../agent/src/worker/load-reporter.js';

/** A server reduced to its events; it has a listener for messages while it is connected. */
function setUp() {
  const event = new EventEmitter();
  const sent: unknown[] = [];
  const log: string[] = [];
  const state = { load: 0 };
  const reporter = new LoadReporter({ event } as unknown as AgentServer, () => state.load, {
    onFirstRegistered: () => log.push('registered'),
    onConnectionLost: () => log.push('lost'),
  });
  const connect = () => {
    event.on('worker_msg', ({ message }: { message: { value: unknown } }) =>
      sent.push(message.value),
    );
    event.emit('worker_registered');
  };
  return {
    connect,
    disconnect: () => event.removeAllListeners('worker_msg'),
    log,
    reporter,
    sent,
    state,
  };
}

/** LiveKit's WorkerStatus. */
const [WS_AVAILABLE, WS_FULL] = [0, 1];

describe('LoadReporter', () => {
  it('reports the load at registration and on demand, full at 1', () => {
    const { connect, reporter, sent, state } = setUp();
    connect();
    state.load = 1;
    reporter.report();
    expect(sent).toMatchObject([
      { load: 0, status: WS_AVAILABLE },
      { load: 1, status: WS_FULL },
    ]);
  });

  it('notices a lost connection once, and a new one', () => {
    const { connect, disconnect, log, reporter } = setUp();
    expect(reporter.registered).toBe(false);
    reporter.report();
    connect();
    expect(reporter.registered).toBe(true);
    disconnect();
    reporter.report();
    reporter.report();
    expect(reporter.registered).toBe(false);
    connect();
    expect(reporter.registered).toBe(true);
    expect(log).toEqual(['registered', 'lost']);
  });
});
