// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { ParticipantInfo } from 'livekit-server-sdk';
import { endDeadCall } from '../../../agent/src/worker/end-dead-call.js';

initializeLogger({ pretty: false, level: 'silent' });

const config = {
  livekit: { url: 'ws://127.0.0.1:1', apiKey: 'k', apiSecret: 's', agentName: '' },
  disconnectOnEnd: 'auto',
} as const;

test.each([
  ['over: its caller is disconnected', true, ['delete r', 'remove agent-AJ_1']],
  ['one that another task may answer: only the dead agent goes', false, ['remove agent-AJ_1']],
])('a call that is %s', async (_, over, expected) => {
  const did: string[] = [];
  await endDeadCall(
    config,
    { job: 'AJ_1', room: 'r', caller: 'ada', over },
    {
      listParticipants: async () => [new ParticipantInfo({ identity: 'ada' })],
      removeParticipant: async (_room, identity) => void did.push(`remove ${identity}`),
      deleteRoom: async (room) => void did.push(`delete ${room}`),
    },
  );
  expect(did).toEqual(expected);
});
