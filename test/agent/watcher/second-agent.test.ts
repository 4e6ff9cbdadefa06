// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { hasAgent } from '../../../agent/src/watcher/second-agent.js';

describe('the agent that finds another one in its room', () => {
  const AGENT_KIND = 4;
  const room = (identity: string, kind: number, attributes: Record<string, string> = {}) =>
    ({
      remoteParticipants: new Map([[identity, { identity, info: { kind }, attributes }]]),
    }) as never;

  test.each([
    ['another agent of its name', room('agent-AJ_1', AGENT_KIND, { 'lk.agent_name': 'a' }), true],
    ['an agent without a name', room('agent-AJ_1', AGENT_KIND), true],
    ['somebody else’s agent', room('agent-AJ_1', AGENT_KIND, { 'lk.agent_name': 'b' }), false],
    ['a caller who is called agent', room('agent-x', 0), false],
    ['nobody', { remoteParticipants: new Map() } as never, false],
  ])('%s: %s', (_who, where, answered) => {
    expect(hasAgent(where, 'a')).toBe(answered);
  });
});
