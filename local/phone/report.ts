// SPDX-License-Identifier: Apache-2.0

import pc from 'picocolors';
import type { Change, Fields } from './change.js';
import { agentsOf, dispatchRuleFields } from './dispatch-rule.js';
import { inboundTrunkFields } from './inbound-trunk.js';
import { outboundTrunkFields } from './outbound-trunk.js';
import type { SipState } from './phone-setup.js';

const DONE: Record<Change['action'], string> = {
  create: pc.green('created'),
  change: pc.yellow('changed'),
  keep: 'unchanged',
  remove: pc.red('removed'),
};
const PLANNED: Record<Change['action'], string> = {
  create: pc.green('would create'),
  change: pc.yellow('would change'),
  keep: 'unchanged',
  remove: pc.red('would remove'),
};

/** One change, with its values below it. */
export function changeText({ action, kind, name, id, fields }: Change, dryRun: boolean): string {
  const done = (dryRun ? PLANNED : DONE)[action];
  return [`${done} ${titleOf(kind, name, id)}`, ...fieldLines(fields)].join('\n');
}

/**
 * The agent's trunks and rule with their values, then what else the server has, in a line each.
 * @param name what the trunks and the rule are named after
 */
export function stateText(state: SipState, name: string): string {
  const { ownInbound, ownOutbound, ownRule } = state;
  const own = [
    ...(ownInbound
      ? [
          titleOf('inbound trunk', ownInbound.name, ownInbound.sipTrunkId),
          ...fieldLines(inboundTrunkFields(ownInbound)),
        ]
      : []),
    ...(ownRule
      ? [
          titleOf('dispatch rule', ownRule.name, ownRule.sipDispatchRuleId),
          ...fieldLines(dispatchRuleFields(ownRule)),
        ]
      : []),
    ...(ownOutbound
      ? [
          titleOf('outbound trunk', ownOutbound.name, ownOutbound.sipTrunkId),
          ...fieldLines(outboundTrunkFields(ownOutbound)),
        ]
      : []),
  ];
  const others = [
    ...state.inbound
      .filter((trunk) => trunk !== ownInbound)
      .map((trunk) => titleOf('inbound trunk', trunk.name, trunk.sipTrunkId)),
    ...state.outbound
      .filter((trunk) => trunk !== ownOutbound)
      .map((trunk) => titleOf('outbound trunk', trunk.name, trunk.sipTrunkId)),
    ...state.rules
      .filter((rule) => rule !== ownRule)
      .map((rule) => titleOf('dispatch rule', rule.name, rule.sipDispatchRuleId)),
  ];
  return [
    ...(own.length ? own : [`There are no trunks and no dispatch rule of ${name}.`]),
    ...(others.length ? ['Others on this LiveKit server:', ...others.map((o) => `  ${o}`)] : []),
  ].join('\n');
}

/**
 * Why a call would not reach the agent, as far as LiveKit's settings show.
 * @returns one sentence for each reason
 */
export function findProblems(state: SipState, agentName: string): string[] {
  const { ownInbound, ownRule, rules } = state;
  const problems: string[] = [];
  const setAgain = 'run `npm run phone -- inbound`';
  if (ownInbound && !ownRule)
    problems.push(`No rule dispatches the agent to calls of the inbound trunk: ${setAgain}.`);
  if (ownRule && !ownInbound)
    problems.push(
      'The dispatch rule has no inbound trunk: run `npm run phone -- inbound` with --number.',
    );
  if (ownRule && ownInbound && !ownRule.trunkIds.includes(ownInbound.sipTrunkId))
    problems.push(`The dispatch rule is for another trunk than the inbound one: ${setAgain}.`);
  if (ownRule) {
    const agents = agentsOf(ownRule);
    if (agentName && !agents.includes(agentName))
      problems.push(
        `The agent's name is ${agentName}, but calls are dispatched to ${agents.join(', ') || 'agents without a name'}: ${setAgain}.`,
      );
    if (!agentName && agents.length > 0)
      problems.push(
        `The agent has no name, but calls are dispatched to ${agents.join(', ')}: ${setAgain}.`,
      );
  }
  const also = ownInbound
    ? rules.filter((rule) => rule !== ownRule && rule.trunkIds.includes(ownInbound.sipTrunkId))
    : [];
  for (const { name, sipDispatchRuleId } of also)
    problems.push(
      `The rule "${name}" (${sipDispatchRuleId}) is for the same inbound trunk and may take its calls: remove one of the two.`,
    );
  return problems;
}

const titleOf = (kind: Change['kind'], name: string, id?: string): string =>
  `${kind} "${name}"${id ? ` (${id})` : ''}`;

const fieldLines = (fields: Fields): string[] =>
  Object.entries(fields).map(([name, value]) => `  ${`${name}:`.padEnd(22)}${value}`);
