// SPDX-License-Identifier: Apache-2.0

import type { SipClient } from 'livekit-server-sdk';

/** The methods of LiveKit's SipClient that are used. */
export type SipApi = Pick<
  SipClient,
  | 'listSipInboundTrunk'
  | 'listSipOutboundTrunk'
  | 'listSipDispatchRule'
  | 'createSipInboundTrunk'
  | 'createSipOutboundTrunk'
  | 'createSipDispatchRule'
  | 'updateSipInboundTrunkFields'
  | 'updateSipOutboundTrunkFields'
  | 'updateSipDispatchRule'
  | 'deleteSipTrunk'
  | 'deleteSipDispatchRule'
>;

/** Values of a trunk or rule by their names, as people see them. Of a password, only whether there is one. */
export type Fields = Readonly<Record<string, string>>;

/** What was done to a trunk or a rule, or would be done. */
export interface Change {
  action: 'create' | 'change' | 'keep' | 'remove';
  kind: 'inbound trunk' | 'outbound trunk' | 'dispatch rule';
  name: string;
  /** LiveKit's ID; absent for what a dry run would create. */
  id?: string;
  /** The values of what is created, the differences (`old -> new`) of what is changed. */
  fields: Fields;
}

/** A change that can be made. */
export interface PlannedChange extends Change {
  /** @returns the ID of what was created or changed */
  make(): Promise<string>;
}

/** A change of something that exists; it is kept when nothing differs. */
export function changeOf(
  kind: Change['kind'],
  existing: { name: string; id: string },
  fields: Fields,
  update: () => Promise<unknown>,
): PlannedChange {
  const differs = Object.keys(fields).length > 0;
  return {
    action: differs ? 'change' : 'keep',
    kind,
    ...existing,
    fields,
    make: async () => {
      if (differs) await update();
      return existing.id;
    },
  };
}

export function changedFields(before: Fields, after: Fields): Fields {
  const changed = Object.keys(after).filter((name) => before[name] !== after[name]);
  return Object.fromEntries(changed.map((name) => [name, `${before[name]} -> ${after[name]}`]));
}
