// SPDX-License-Identifier: Apache-2.0
// Whole conversations in virtual time: delay and jitter, typing, speech, interruptions, tools, handoffs, renewals, changed
// settings and failures.
import { expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { converse, hangUp } from '../support/simulated-conversation.js';

initializeLogger({ pretty: false, level: 'silent' });

/** How many of them; `npm run test:conversations` plays 1,000. */
const CONVERSATIONS = Number(process.env.CONVERSATIONS ?? 32);
/** The first seed: others than the usual ones, or one alone. */
const FIRST = Number(process.env.FIRST_CONVERSATION ?? 1);
const TIMEOUT_MS = Math.max(300_000, CONVERSATIONS * 3_000);

test(
  'each question has one answer and it is its own, nothing is told that did not happen',
  async () => {
    const wrong: string[] = [];
    for (let seed = FIRST; seed < FIRST + CONVERSATIONS; seed += 1)
      wrong.push(...(await converse(seed)));
    expect(wrong).toEqual([]);
  },
  TIMEOUT_MS,
);

test(
  'a session that is closed at any moment leaves nothing behind and tells nothing more',
  async () => {
    const wrong: string[] = [];
    for (let seed = FIRST; seed < FIRST + CONVERSATIONS; seed += 1)
      wrong.push(...(await hangUp(seed)));
    expect(wrong).toEqual([]);
  },
  TIMEOUT_MS,
);
