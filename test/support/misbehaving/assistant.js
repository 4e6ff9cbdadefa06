// SPDX-License-Identifier: Apache-2.0

import { setTimeout } from 'node:timers/promises';
import { llm } from '@livekit/agents';
import { z } from 'zod';

/** What keeps the memory that a tool took. */
const kept = [];

/** What the tool of a call does before it returns, by the call's metadata. */
const deeds = {
  throws: () => {
    setImmediate(() => {
      throw new Error('thrown by a tool, asynchronously');
    });
  },
  rejects: () => {
    void Promise.reject(new Error('rejected by a tool, and nobody waits'));
  },
  never: () => new Promise(() => {}),
  blocks: () => {
    const end = Date.now() + 3_000;
    while (Date.now() < end);
  },
  grows: async () => {
    // In small pieces, which block nobody; well over the limit of 600 MB, whatever the rest of the process takes.
    for (let i = 0; i < 70; i++) {
      kept.push(Buffer.alloc(10 * 2 ** 20, 1));
      await setTimeout(10);
    }
  },
};

/** An agent with one tool, which misbehaves as the metadata of the call says. */
function misbehavingAssistant({ metadata }) {
  return {
    instructions: 'You are a test.',
    greeting: 'Greet the caller.',
    tools: {
      do_something: llm.tool({
        description: 'Does something.',
        parameters: z.object({}),
        execute: async () => {
          await deeds[metadata]?.();
          return { done: true };
        },
      }),
    },
  };
}

export { misbehavingAssistant as assistant };
