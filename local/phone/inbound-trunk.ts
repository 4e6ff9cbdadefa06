// SPDX-License-Identifier: Apache-2.0

import type { SIPInboundTrunkInfo } from 'livekit-server-sdk';
import { changedFields, changeOf, type Fields, type PlannedChange, type SipApi } from './change.js';
import {
  changedTrunkFields,
  checkLogin,
  listed,
  listUpdate,
  type TrunkSettings,
  trunkFields,
  trunkOptions,
} from './trunk-settings.js';

export interface InboundTrunkSettings extends TrunkSettings {
  /** Addresses that calls may come from; empty: any. */
  allowedAddresses?: string[];
  /** Numbers that may call; empty: any. */
  allowedNumbers?: string[];
}

export function inboundTrunkFields(trunk: SIPInboundTrunkInfo): Fields {
  return { ...listFields(trunk), ...trunkFields(trunk) };
}

/**
 * @param others the inbound trunks of the server
 * @throws Error with one sentence when a number is missing or belongs to another trunk
 */
export function planInboundTrunk(
  api: SipApi,
  name: string,
  settings: InboundTrunkSettings,
  own: SIPInboundTrunkInfo | undefined,
  others: readonly SIPInboundTrunkInfo[],
): PlannedChange {
  const kind = 'inbound trunk';
  const lists = {
    numbers: settings.numbers ?? own?.numbers ?? [],
    allowedAddresses: settings.allowedAddresses ?? own?.allowedAddresses ?? [],
    allowedNumbers: settings.allowedNumbers ?? own?.allowedNumbers ?? [],
  };
  if (lists.numbers.length === 0)
    throw new Error('There is no inbound trunk yet: give its numbers with --number.');
  checkLogin(settings, own);
  for (const other of others) if (other !== own) checkConflict(lists, other);

  const options = trunkOptions(settings, own);
  if (own) {
    const wanted = { ...listFields(lists), ...changedTrunkFields(own, settings) };
    const fields = changedFields(inboundTrunkFields(own), wanted);
    return changeOf(kind, { name, id: own.sipTrunkId }, fields, () =>
      api.updateSipInboundTrunkFields(own.sipTrunkId, {
        numbers: listUpdate(lists.numbers),
        allowedAddresses: listUpdate(lists.allowedAddresses),
        allowedNumbers: listUpdate(lists.allowedNumbers),
        ...options,
      }),
    );
  }
  const { numbers, ...allowed } = lists;
  const none = { authUsername: '', authPassword: '', mediaEncryption: 0 };
  return {
    action: 'create',
    kind,
    name,
    fields: { ...listFields(lists), ...changedTrunkFields(none, settings) },
    make: async () =>
      (await api.createSipInboundTrunk(name, numbers, { ...allowed, ...options })).sipTrunkId,
  };
}

type Lists = Pick<SIPInboundTrunkInfo, 'numbers' | 'allowedAddresses' | 'allowedNumbers'>;

const listFields = ({ numbers, allowedAddresses, allowedNumbers }: Lists): Fields => ({
  numbers: listed(numbers),
  'provider addresses': listed(allowedAddresses),
  callers: listed(allowedNumbers),
});

/** LiveKit refuses two trunks with one number unless they are for different callers. */
function checkConflict(own: Lists, other: SIPInboundTrunkInfo): void {
  const number = own.numbers.find((one) => other.numbers.includes(one));
  const sameCallers = own.allowedNumbers.length
    ? own.allowedNumbers.some((caller) => other.allowedNumbers.includes(caller))
    : other.allowedNumbers.length === 0;
  if (number && sameCallers)
    throw new Error(
      `The inbound trunk "${other.name}" (${other.sipTrunkId}) has ${number} already: remove the number from it, or remove the trunk.`,
    );
}
