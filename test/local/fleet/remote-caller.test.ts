// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { RemoteCaller } from '../../../local/fleet/remote-caller.js';

describe('a caller in another process', () => {
  const start = () => {
    const caller = new RemoteCaller('call', { add() {} } as never);
    const agent = (identity: string, present: boolean, at: number) =>
      caller.handleMessage({ name: 'call', event: 'agent', identity, present, at });
    return { caller, agent };
  };

  it('keeps its agent when a second one comes and leaves', () => {
    const { caller, agent } = start();
    agent('agent-1', true, 10);
    agent('agent-2', true, 20);
    agent('agent-2', false, 30);
    expect(caller).toMatchObject({ agentPresent: true, jobId: '1', agentJoinedAt: 10 });
    agent('agent-1', false, 40);
    expect(caller).toMatchObject({ agentPresent: false, jobId: '1', agentLeftAt: 40 });
  });

  it('is with the new agent when LiveKit still lists a dead one', () => {
    const { caller, agent } = start();
    agent('agent-1', true, 10);
    agent('agent-2', true, 20);
    agent('agent-1', false, 30);
    expect(caller).toMatchObject({ agentPresent: true, jobId: '2', agentJoinedAt: 20 });
  });
});
