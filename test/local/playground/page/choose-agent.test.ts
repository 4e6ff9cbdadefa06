// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { AGENT_STATE_ATTRIBUTE } from '../../../../agent/src/call/call-events.js';
import { chooseAgent } from '../../../../local/playground/page/choose-agent.js';

const agent = (identity: string, state?: string, tracks = 0) => ({
  identity,
  attributes: { ...(state && { [AGENT_STATE_ATTRIBUTE]: state }) } as Record<string, string>,
  trackPublications: { size: tracks },
});
const chosen = (...agents: ReturnType<typeof agent>[]) => chooseAgent(agents)?.identity;

describe('the agent of the call', () => {
  it('is nobody when there is none', () => expect(chosen()).toBeUndefined());

  it('is the first one, also before it begins', () => {
    expect(chosen(agent('a'))).toBe('a');
    expect(chosen(agent('a'), agent('b'))).toBe('a');
  });

  it('is not a second one that comes and leaves without having begun', () => {
    expect(chosen(agent('a', 'speaking', 1), agent('b'))).toBe('a');
  });

  it('is the one that begins while LiveKit still lists a dead one', () => {
    expect(chosen(agent('dead', 'listening', 1), agent('b', 'initializing'))).toBe('b');
    expect(chosen(agent('dead', 'listening', 1), agent('b', undefined, 1))).toBe('b');
  });
});
