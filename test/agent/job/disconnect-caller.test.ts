// SPDX-License-Identifier: Apache-2.0

import { describe, expect, jest, test } from '@jest/globals';
import { initializeLogger, log } from '@livekit/agents';
import { ParticipantInfo } from 'livekit-server-sdk';
import { disconnectCaller, type EndOfCallApi } from '../../../agent/src/job/disconnect-caller.js';

initializeLogger({ pretty: false, level: 'silent' });

/** Kinds of participants, as LiveKit numbers them. */
const [STANDARD, EGRESS, SIP, AGENT] = [0, 2, 3, 4];

/** A room's API that notes what it is asked to do. */
function roomWith(people: Record<string, number | undefined>): EndOfCallApi & { did: string[] } {
  const did: string[] = [];
  return {
    did,
    listParticipants: async () =>
      Object.entries(people).map(
        ([identity, kind]) => new ParticipantInfo({ identity, kind: kind ?? 0 }),
      ),
    removeParticipant: async (room, identity) => void did.push(`remove ${identity} from ${room}`),
    deleteRoom: async (room) => void did.push(`delete ${room}`),
  };
}

const call = (caller?: string) => ({ job: 'AJ_1', room: 'r', caller });
const alone = { 'agent-AJ_1': AGENT, phone: SIP, recorder: EGRESS };
const supervised = { ...alone, supervisor: STANDARD };

describe('the caller of a call that the agent has ended', () => {
  test.each([
    ['auto', alone, 'phone', ['delete r']],
    ['auto', supervised, 'phone', ['remove phone from r']],
    // Nobody was seen: an only person is the caller, of several it is not known.
    ['auto', alone, undefined, ['delete r']],
    ['auto', supervised, undefined, []],
    ['caller', alone, 'phone', ['remove phone from r']],
    ['caller', supervised, 'phone', ['remove phone from r']],
    ['caller', { 'agent-AJ_1': AGENT }, undefined, []],
    ['room', supervised, 'phone', ['delete r']],
    ['off', alone, 'phone', []],
  ] as const)('%s, with %o and the caller %s: %j', async (mode, people, caller, expected) => {
    const api = roomWith(people);
    await disconnectCaller(mode, call(caller), api);
    expect(api.did).toEqual(expected);
  });
});

describe('when LiveKit fails', () => {
  const failing = (error: unknown): EndOfCallApi => ({
    ...roomWith(alone),
    deleteRoom: () => Promise.reject(error),
  });
  const warned = () => jest.spyOn(log(), 'warn').mockClear();

  test('the end of the job goes on, and the log says so', async () => {
    const warn = warned();
    await disconnectCaller('auto', call('phone'), failing(new Error('unauthorized')));
    expect(warn).toHaveBeenCalledTimes(1);
  });

  test('a room that is gone already is no failure', async () => {
    const warn = warned();
    const gone = Object.assign(new Error('no such room'), { code: 'not_found' });
    await disconnectCaller('auto', call('phone'), failing(gone));
    expect(warn).not.toHaveBeenCalled();
  });

  test('an answer that never comes is not waited for', async () => {
    jest.useFakeTimers();
    try {
      const warn = warned();
      const api = { ...roomWith(alone), listParticipants: () => new Promise<never>(() => {}) };
      const done = disconnectCaller('auto', call('phone'), api);
      await jest.advanceTimersByTimeAsync(3_000);
      await done;
      expect(warn).toHaveBeenCalledTimes(1);
    } finally {
      jest.useRealTimers();
    }
  });
});
