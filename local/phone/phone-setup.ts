// SPDX-License-Identifier: Apache-2.0

import type {
  SIPDispatchRuleInfo,
  SIPInboundTrunkInfo,
  SIPOutboundTrunkInfo,
} from 'livekit-server-sdk';
import type { Change, PlannedChange, SipApi } from './change.js';
import { type DispatchRuleSettings, planDispatchRule } from './dispatch-rule.js';
import { type InboundTrunkSettings, planInboundTrunk } from './inbound-trunk.js';
import { type OutboundTrunkSettings, planOutboundTrunk } from './outbound-trunk.js';

/** Everything about telephones that a LiveKit server has, and what of it belongs to the agent. */
export interface SipState {
  inbound: SIPInboundTrunkInfo[];
  outbound: SIPOutboundTrunkInfo[];
  rules: SIPDispatchRuleInfo[];
  ownInbound: SIPInboundTrunkInfo | undefined;
  ownOutbound: SIPOutboundTrunkInfo | undefined;
  ownRule: SIPDispatchRuleInfo | undefined;
}

export interface PhoneSetupOptions {
  /** The trunks and the rule are named after it, and found again by these names. */
  name: string;
  /** The agent that calls are dispatched to; '' for agents without a name, which join every new room. */
  agentName: string;
  /** Report what would change, and change nothing. */
  dryRun: boolean;
  /** Called with each change when it has been made. */
  onChange: (change: Change) => void;
}

/** Makes, changes and removes the trunks and the dispatch rule of one agent. Doing it twice changes nothing. */
export class PhoneSetup {
  readonly #api: SipApi;
  readonly #options: PhoneSetupOptions;

  constructor(api: SipApi, options: PhoneSetupOptions) {
    this.#api = api;
    this.#options = options;
  }

  get name(): string {
    return this.#options.name;
  }

  /** @throws Error with one sentence when two trunks or rules have the same name */
  async read(): Promise<SipState> {
    const [inbound, outbound, rules] = await Promise.all([
      this.#api.listSipInboundTrunk(),
      this.#api.listSipOutboundTrunk(),
      this.#api.listSipDispatchRule(),
    ]);
    const trunkId = (trunk: { sipTrunkId: string }) => trunk.sipTrunkId;
    return {
      inbound,
      outbound,
      rules,
      ownInbound: onlyOne('inbound trunks', inbound, this.#inboundName, trunkId),
      ownOutbound: onlyOne('outbound trunks', outbound, this.#outboundName, trunkId),
      ownRule: onlyOne('dispatch rules', rules, this.#ruleName, (rule) => rule.sipDispatchRuleId),
    };
  }

  /**
   * Calls to the numbers reach the agent: an inbound trunk, and the rule that dispatches the agent to a call.
   * @returns whether the inbound trunk is new
   */
  async setInbound(settings: InboundTrunkSettings & DispatchRuleSettings): Promise<boolean> {
    const { ownInbound, ownRule, inbound } = await this.read();
    const trunkId = await this.#make(
      planInboundTrunk(this.#api, this.#inboundName, settings, ownInbound, inbound),
    );
    const { agentName } = this.#options;
    await this.#make(
      planDispatchRule(this.#api, this.#ruleName, settings, { agentName, trunkId }, ownRule),
    );
    return !ownInbound;
  }

  /** The agent can call telephones: an outbound trunk. */
  async setOutbound(settings: OutboundTrunkSettings): Promise<void> {
    const { ownOutbound } = await this.read();
    await this.#make(planOutboundTrunk(this.#api, this.#outboundName, settings, ownOutbound));
  }

  /** @returns whether there was anything to remove */
  async remove(what: 'inbound' | 'outbound' | 'all'): Promise<boolean> {
    const { ownInbound, ownOutbound, ownRule } = await this.read();
    const removals: PlannedChange[] = [];
    const add = (kind: Change['kind'], name: string, id: string, make: () => Promise<unknown>) =>
      removals.push({
        ...{ action: 'remove', kind, name, id, fields: {} },
        make: () => make().then(() => id),
      });
    if (what !== 'outbound') {
      // The rule first: a rule whose trunk is gone fits no call, or every one.
      if (ownRule) {
        const id = ownRule.sipDispatchRuleId;
        add('dispatch rule', ownRule.name, id, () => this.#api.deleteSipDispatchRule(id));
      }
      if (ownInbound) {
        const id = ownInbound.sipTrunkId;
        add('inbound trunk', ownInbound.name, id, () => this.#api.deleteSipTrunk(id));
      }
    }
    if (ownOutbound && what !== 'inbound') {
      const id = ownOutbound.sipTrunkId;
      add('outbound trunk', ownOutbound.name, id, () => this.#api.deleteSipTrunk(id));
    }
    for (const removal of removals) await this.#make(removal);
    return removals.length > 0;
  }

  async #make({ make, ...change }: PlannedChange): Promise<string | undefined> {
    const id = this.#options.dryRun ? change.id : await make();
    this.#options.onChange({ ...change, ...(id && { id }) });
    return id;
  }

  get #inboundName(): string {
    return `${this.#options.name} inbound`;
  }

  get #outboundName(): string {
    return `${this.#options.name} outbound`;
  }

  get #ruleName(): string {
    return `${this.#options.name} dispatch`;
  }
}

function onlyOne<T extends { name: string }>(
  kind: string,
  all: readonly T[],
  name: string,
  idOf: (one: T) => string,
): T | undefined {
  const own = all.filter((one) => one.name === name);
  if (own.length > 1)
    throw new Error(
      `There are several ${kind} named "${name}" (${own.map(idOf).join(', ')}): remove all but one of them.`,
    );
  return own[0];
}
