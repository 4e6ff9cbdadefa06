// SPDX-License-Identifier: Apache-2.0

import {
  RoomAgentDispatch,
  RoomConfiguration,
  SIPDispatchRuleInfo,
  SIPInboundTrunkInfo,
} from 'livekit-server-sdk';
import type { SipState } from '../../../local/phone/phone-setup.js';
import { changeText, findProblems, stateText } from '../../../local/phone/report.js';

const trunk = new SIPInboundTrunkInfo({
  sipTrunkId: 'ST_1',
  name: 'sonic inbound',
  numbers: ['+15551234567'],
  authUsername: 'user',
  authPassword: 'secret',
});
const ruleFor = (trunkId: string, ...agentNames: string[]) =>
  new SIPDispatchRuleInfo({
    sipDispatchRuleId: 'SDR_1',
    name: 'sonic dispatch',
    trunkIds: [trunkId],
    roomConfig: new RoomConfiguration({
      agents: agentNames.map((agentName) => new RoomAgentDispatch({ agentName })),
    }),
  });
const state = (own: Partial<SipState> = {}): SipState => ({
  inbound: [trunk],
  outbound: [],
  rules: [],
  ownInbound: trunk,
  ownOutbound: undefined,
  ownRule: undefined,
  ...own,
});

describe('findProblems', () => {
  it('finds none when calls of the trunk are dispatched to the agent', () => {
    expect(findProblems(state({ ownRule: ruleFor('ST_1', 'sonic') }), 'sonic')).toEqual([]);
    expect(findProblems(state({ ownRule: ruleFor('ST_1') }), '')).toEqual([]);
  });

  it.each([
    [state(), 'No rule dispatches the agent'],
    [
      state({ ownRule: ruleFor('ST_1', 'old') }),
      "The agent's name is sonic, but calls are dispatched to old",
    ],
    [state({ ownRule: ruleFor('ST_1') }), 'dispatched to agents without a name'],
    [state({ ownRule: ruleFor('ST_2', 'sonic') }), 'for another trunk'],
    [
      state({ ownRule: ruleFor('ST_1', 'sonic'), rules: [ruleFor('ST_1', 'rival')] }),
      'is for the same inbound trunk',
    ],
    [
      state({ ownInbound: undefined, ownRule: ruleFor('ST_1', 'sonic') }),
      'The dispatch rule has no inbound trunk',
    ],
  ])('finds what keeps calls from the agent (%#)', (sips, sentence) => {
    expect(findProblems(sips, 'sonic')).toEqual([expect.stringContaining(sentence)]);
  });

  it('finds a rule that dispatches a name, while the agent has none', () => {
    expect(findProblems(state({ ownRule: ruleFor('ST_1', 'old') }), '')).toEqual([
      expect.stringContaining('The agent has no name'),
    ]);
  });
});

describe('stateText', () => {
  it('shows what the agent has, never a password, and names what others have', () => {
    const rival = ruleFor('ST_9', 'rival');
    const text = stateText(state({ rules: [rival] }), 'sonic');
    expect(text).toContain('+15551234567');
    expect(text).toMatch(/password: +set/);
    expect(text).not.toContain('secret');
    expect(text).toContain(
      'Others on this LiveKit server:\n  dispatch rule "sonic dispatch" (SDR_1)',
    );
  });

  it('says when there is nothing', () => {
    const nothing = state({ ownInbound: undefined, inbound: [] });
    expect(stateText(nothing, 'sonic')).toBe('There are no trunks and no dispatch rule of sonic.');
  });
});

describe('changeText', () => {
  const change = { action: 'create', kind: 'inbound trunk', name: 'x', fields: {} } as const;

  it('tells what was done from what would be done', () => {
    expect(changeText({ ...change, id: 'ST_1' }, false)).toContain('created');
    expect(changeText(change, true)).toContain('would create');
  });
});
