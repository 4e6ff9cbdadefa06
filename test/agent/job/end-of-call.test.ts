// SPDX-License-Identifier: Apache-2.0

import { beforeEach, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { ParticipantInfo } from 'livekit-server-sdk';
import { EndOfCall } from '../../../agent/src/job/end-of-call.js';
import { ManualClock } from '../../support/manual-clock.js';

initializeLogger({ pretty: false, level: 'silent' });

let clock: ManualClock;
/** What happened, with the time. */
let happened: string[];
let end: EndOfCall;

beforeEach(() => {
  clock = new ManualClock();
  happened = [];
  const note = (what: string) => void happened.push(`${clock.now()} ${what}`);
  const livekit = { url: 'ws://127.0.0.1:1', apiKey: 'k', apiSecret: 's', agentName: '' };
  end = new EndOfCall(
    { job: 'AJ_1', room: 'r' },
    { livekit, disconnectOnEnd: 'auto' },
    {
      clock,
      api: {
        listParticipants: async () => [new ParticipantInfo({ identity: 'phone' })],
        removeParticipant: async (_, identity) => note(`remove ${identity}`),
        deleteRoom: async () => note('delete'),
      },
    },
  );
  end.caller = 'phone';
  end.publish = async (reason) => note(`publish ${reason}`);
});

test('by the agent: the reason is published, and the caller is disconnected when the last word has been heard', async () => {
  void end.endByAgent('max_call_length');
  await clock.pass(499);
  expect(happened).toEqual(['0 publish max_call_length']);
  await clock.pass(1);
  await end.done;
  expect(happened).toEqual(['0 publish max_call_length', '500 delete']);
});

test('without us: nobody is disconnected, also when the session closes afterwards', async () => {
  await end.leave('participant_disconnected');
  await end.endByAgent('user_initiated');
  await clock.pass(10_000);
  expect(happened).toEqual(['0 publish participant_disconnected']);
});

test('the first reason counts, and its end is waited for by all', async () => {
  void end.endByAgent('task_stopping');
  let left = false;
  void end.leave('user_initiated').then(() => {
    left = true;
  });
  await clock.pass(400);
  expect(left).toBe(false);
  await clock.pass(100);
  await end.done;
  expect(happened).toEqual(['0 publish task_stopping', '500 delete']);
  expect(left).toBe(true);
});

test('a publication that fails or hangs keeps the caller for a second at most', async () => {
  end.publish = () => new Promise(() => {});
  void end.endByAgent('failed');
  await clock.pass(1_000);
  await end.done;
  expect(happened).toEqual(['1000 delete']);
});
