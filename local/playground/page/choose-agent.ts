// SPDX-License-Identifier: Apache-2.0

import { AGENT_STATE_ATTRIBUTE } from '../../../agent/src/call/call-events.js';

/** A participant of the kind agent. */
export interface AgentInRoom {
  readonly attributes: Readonly<Record<string, string>>;
  readonly trackPublications: { readonly size: number };
}

/**
 * The agent that the call is with. A second one may come, of a dispatch that was made again, and leave before it begins;
 * and LiveKit lists a dead one for seconds while the next one begins. So it is the one that began last.
 * @param agents in the order in which they joined
 */
export function chooseAgent<T extends AgentInRoom>(agents: readonly T[]): T | undefined {
  const begun = agents.filter(
    ({ attributes, trackPublications }) =>
      attributes[AGENT_STATE_ATTRIBUTE] !== undefined || trackPublications.size > 0,
  );
  return begun.at(-1) ?? agents[0];
}
