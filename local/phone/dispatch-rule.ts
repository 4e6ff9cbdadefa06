// SPDX-License-Identifier: Apache-2.0

import { RoomAgentDispatch, RoomConfiguration, type SIPDispatchRuleInfo } from 'livekit-server-sdk';
import { changedFields, changeOf, type Fields, type PlannedChange, type SipApi } from './change.js';
import { listed } from './trunk-settings.js';

export interface DispatchRuleSettings {
  /** Default: that of LiveKit's documentation, `call-`. */
  roomPrefix?: string;
  hidePhoneNumber?: boolean;
}

const ROOM_PREFIX = 'call-';

export function dispatchRuleFields(rule: SIPDispatchRuleInfo): Fields {
  return {
    trunks: listed(rule.trunkIds),
    rooms: roomsOf(rule),
    agent: agentsOf(rule).join(', ') || NO_NAME,
    'number of the caller': rule.hidePhoneNumber ? 'hidden' : 'shown',
  };
}

/** What a rule without agents does: agents without a name join every new room. */
const NO_NAME = 'every agent without a name';

/** Names of the agents that a rule dispatches. */
export function agentsOf(rule: SIPDispatchRuleInfo): string[] {
  return rule.roomConfig?.agents.map(({ agentName }) => agentName) ?? [];
}

/**
 * Plans the rule that puts each call into a room of its own and dispatches the agent there.
 * @param agentName '' for an agent without a name
 * @param trunkId the inbound trunk, undefined while a dry run only would make it
 */
export function planDispatchRule(
  api: SipApi,
  name: string,
  { roomPrefix, hidePhoneNumber }: DispatchRuleSettings,
  { agentName, trunkId }: { agentName: string; trunkId: string | undefined },
  own: SIPDispatchRuleInfo | undefined,
): PlannedChange {
  const kind = 'dispatch rule';
  const agents = agentName ? [new RoomAgentDispatch({ agentName })] : [];
  if (own) {
    const wanted = own.clone();
    if (trunkId) wanted.trunkIds = [trunkId];
    if (hidePhoneNumber !== undefined) wanted.hidePhoneNumber = hidePhoneNumber;
    wanted.roomConfig ??= new RoomConfiguration();
    // This one alone: under its former name the agent would be dispatched as well. Metadata that somebody gave it stays.
    const known = wanted.roomConfig.agents.find((agent) => agent.agentName === agentName);
    wanted.roomConfig.agents = known ? [known] : agents;
    const rule = wanted.rule?.rule;
    if (roomPrefix !== undefined && rule?.case === 'dispatchRuleIndividual')
      rule.value.roomPrefix = roomPrefix;
    const fields = changedFields(dispatchRuleFields(own), dispatchRuleFields(wanted));
    return changeOf(kind, { name, id: own.sipDispatchRuleId }, fields, () =>
      api.updateSipDispatchRule(own.sipDispatchRuleId, wanted),
    );
  }
  const prefix = roomPrefix ?? ROOM_PREFIX;
  return {
    action: 'create',
    kind,
    name,
    fields: {
      trunks: trunkId ?? 'the inbound trunk',
      rooms: oneForEachCall(prefix),
      agent: agentName || NO_NAME,
      'number of the caller': hidePhoneNumber ? 'hidden' : 'shown',
    },
    make: async () => {
      const created = await api.createSipDispatchRule(
        { type: 'individual', roomPrefix: prefix },
        {
          name,
          ...(trunkId && { trunkIds: [trunkId] }),
          hidePhoneNumber: hidePhoneNumber ?? false,
          roomConfig: new RoomConfiguration({ agents }),
        },
      );
      return created.sipDispatchRuleId;
    },
  };
}

function roomsOf({ rule }: SIPDispatchRuleInfo): string {
  const kind = rule?.rule;
  switch (kind?.case) {
    case 'dispatchRuleIndividual':
    case 'dispatchRuleCallee':
      return oneForEachCall(kind.value.roomPrefix);
    case 'dispatchRuleDirect':
      return `${kind.value.roomName}, one for all calls`;
    default:
      return 'unknown';
  }
}

const oneForEachCall = (prefix: string) => `${prefix}…, one for each call`;
