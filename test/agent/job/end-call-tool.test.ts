// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { initializeLogger, voice } from '@livekit/agents';
import { endAfterGoodbye, endCall } from '../../../agent/src/job/end-call-tool.js';

initializeLogger({ pretty: false, level: 'silent' });

const { SpeechCreated, Close } = voice.AgentSessionEventTypes;

class FakeSession extends EventEmitter {
  readonly ended: string[] = [];

  shutdown(options?: { reason?: string }): void {
    this.ended.push(options?.reason ?? '');
  }

  /** The agent begins to say something; call what it returns when that has been played. */
  speak({ interrupted = false } = {}): () => void {
    let played = () => {};
    const playout = new Promise<void>((resolve) => {
      played = resolve;
    });
    const speechHandle = { interrupted, waitForPlayout: () => playout };
    this.emit(SpeechCreated, { speechHandle });
    return played;
  }
}

let session: FakeSession;
const asSession = () => session as unknown as Parameters<typeof endAfterGoodbye>[0];

beforeEach(() => {
  jest.useFakeTimers();
  session = new FakeSession();
});
afterEach(() => {
  expect(session.listenerCount(SpeechCreated)).toBe(0);
  jest.useRealTimers();
});

test('the tool asks for a goodbye, and the call ends when that has been played', async () => {
  const result = await endCall.execute({}, { ctx: { session } } as never);
  expect(result).toMatch(/goodbye/);
  const played = session.speak();
  await jest.advanceTimersByTimeAsync(60_000);
  expect(session.ended).toEqual([]);
  played();
  await jest.advanceTimersByTimeAsync(0);
  expect(session.ended).toEqual(['end_call_tool']);
});

test('a goodbye that the caller interrupts ends nothing', async () => {
  endAfterGoodbye(asSession());
  session.speak({ interrupted: true })();
  await jest.advanceTimersByTimeAsync(60_000);
  expect(session.ended).toEqual([]);
});

test('a model that says nothing ends the call after five seconds', async () => {
  endAfterGoodbye(asSession());
  await jest.advanceTimersByTimeAsync(4_999);
  expect(session.ended).toEqual([]);
  await jest.advanceTimersByTimeAsync(1);
  expect(session.ended).toEqual(['end_call_tool']);
});

test('a session that closes before is not ended again', async () => {
  endAfterGoodbye(asSession());
  session.emit(Close);
  await jest.advanceTimersByTimeAsync(60_000);
  expect(session.ended).toEqual([]);
});
