// SPDX-License-Identifier: Apache-2.0
// Every reason for which a call ends in order, and what it means for its caller and for somebody else in the room.
// Calls that end without a process are in test/agent/worker/end-dead-call.test.ts.

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type { RemoteParticipant } from '@livekit/rtc-node';
import type { CallEventPublisher } from '../../../agent/src/call/call-event-publisher.js';
import { fakeSession, startCall } from './call-lifecycle-rig.js';

initializeLogger({ pretty: false, level: 'silent' });
beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
  jest.restoreAllMocks();
});

type Call = ReturnType<typeof startCall> & ReturnType<typeof fakeSession>;
/** A reason, and how a call comes to end for it. */
type End = [reason: string, end: (call: Call, reason: string) => unknown];

/** From the last word to the moment in which the caller must be disconnected. */
const MOST_MS = 1_000;

const COMMANDS = ['max_call_length', 'memory_limit', 'task_stopping', 'unresponsive'];
const BY_AGENT: End[] = [
  ...COMMANDS.map((reason): End => [reason, ({ command }) => command('end_now', reason)]),
  ...['answering_machine', 'busy', 'busy_or_refused', 'caller_idle', 'dial_cancelled'].map(ends),
  ...['no_answer', 'phone_network_failed', 'refused'].map(ends),
  // `end_call`, or `session.shutdown()` of a tool.
  ['user_initiated', closes],
  ['error', closes],
];
const WITHOUT_US: End[] = [
  ['participant_disconnected', closes],
  ['already_answered', ({ lifecycle }) => lifecycle.leaveToOther()],
  ['no_caller', ({ lifecycle }) => lifecycle.endWithoutCaller()],
  ['transferred', ({ lifecycle }) => lifecycle.leave('transferred')],
  [
    'user_initiated',
    (call, reason) => {
      // LiveKit took the job back, and the framework closes the session.
      call.withdraw();
      return closes(call, reason);
    },
  ],
  ['room_disconnected', ({ disconnect }) => disconnect()],
];

function ends(reason: string): End {
  return [reason, ({ lifecycle }) => lifecycle.end(reason)];
}

function closes({ events, lifecycle }: Call, reason: string): unknown {
  events.emit('close', { reason });
  return lifecycle.sessionClosed(reason);
}

/** A call of ann, in whose room a supervisor is; what happened to whom when, after it has ended for a reason. */
async function after(reason: string, end: (call: Call, reason: string) => unknown) {
  const call = Object.assign(startCall(), fakeSession());
  for (const identity of ['ann', 'supervisor']) call.join(identity);
  const publisher = { end: async () => {} } as unknown as CallEventPublisher;
  call.lifecycle.answers({ identity: 'ann' } as RemoteParticipant, publisher);
  call.lifecycle.attach(call.session);
  const ended = Promise.resolve(end(call, reason)).catch(() => {});
  await jest.advanceTimersByTimeAsync(MOST_MS);
  const disconnected = call.log.filter((line) => /^(remove|delete) /.test(line));
  await jest.advanceTimersByTimeAsync(10_000);
  await ended;
  const late = call.log.filter((line) => /^(remove|delete) /.test(line)).length;
  return { disconnected, late: late - disconnected.length, log: call.log };
}

describe('within a second of the last word the caller is disconnected, and a supervisor stays, after', () => {
  it.each(BY_AGENT)('%s', async (reason, end) => {
    const { disconnected, late, log } = await after(reason, end);
    expect(disconnected).toEqual(['remove ann']);
    expect(late).toBe(0);
    expect(log).toContain(`ended: ${reason}`);
  });

  it('failed: the set-up of the call threw', async () => {
    const call = startCall({}, () => Promise.reject(new Error('broken')));
    call.join('ann');
    call.join('supervisor');
    call.hear('ann');
    const failed = expect(call.done).rejects.toThrow('broken');
    await jest.advanceTimersByTimeAsync(MOST_MS);
    await failed;
    expect(call.log.filter((line) => /^(remove|delete) /.test(line))).toEqual(['remove ann']);
  });
});

describe('nobody is disconnected after', () => {
  it.each(WITHOUT_US)('%s', async (reason, end) => {
    const { disconnected, late, log } = await after(reason, end);
    expect(disconnected).toEqual([]);
    expect(late).toBe(0);
    expect(log).toContain(`ended: ${reason}`);
  });
});
