// SPDX-License-Identifier: Apache-2.0

import type { SIPOutboundTrunkInfo, SipOutboundTrunkUpdateOptions } from 'livekit-server-sdk';
import { changedFields, changeOf, type Fields, type PlannedChange, type SipApi } from './change.js';
import {
  changedTrunkFields,
  checkLogin,
  listed,
  listUpdate,
  nameOf,
  TRANSPORTS,
  type TrunkSettings,
  trunkFields,
  trunkOptions,
} from './trunk-settings.js';

export interface OutboundTrunkSettings extends TrunkSettings {
  /** Host of the provider, with a port if it is not the usual one. */
  address?: string;
  /** Default auto: LiveKit tries UDP, then TCP. */
  transport?: keyof typeof TRANSPORTS;
}

export function outboundTrunkFields(trunk: SIPOutboundTrunkInfo): Fields {
  return { ...addressFields(trunk), ...trunkFields(trunk) };
}

/** @throws Error with one sentence when a number or the address is missing */
export function planOutboundTrunk(
  api: SipApi,
  name: string,
  settings: OutboundTrunkSettings,
  own: SIPOutboundTrunkInfo | undefined,
): PlannedChange {
  const kind = 'outbound trunk';
  const { transport } = settings;
  const wanted = {
    numbers: settings.numbers ?? own?.numbers ?? [],
    address: settings.address ?? own?.address ?? '',
    transport: transport ? TRANSPORTS[transport] : (own?.transport ?? TRANSPORTS.auto),
  };
  const missing = [
    ...(wanted.numbers.length ? [] : ['its numbers with --number']),
    ...(wanted.address ? [] : ['the address of the provider with --address']),
  ];
  if (missing.length)
    throw new Error(`There is no outbound trunk yet: give ${missing.join(' and ')}.`);
  checkLogin(settings, own);

  const { numbers, ...target } = wanted;
  const options = trunkOptions(settings, own);
  if (own) {
    const after = { ...addressFields(wanted), ...changedTrunkFields(own, settings) };
    // The SDK's type lacks address and transport, which LiveKit's request has.
    const update: SipOutboundTrunkUpdateOptions & typeof target = {
      ...target,
      ...options,
      numbers: listUpdate(numbers),
    };
    const fields = changedFields(outboundTrunkFields(own), after);
    return changeOf(kind, { name, id: own.sipTrunkId }, fields, () =>
      api.updateSipOutboundTrunkFields(own.sipTrunkId, update),
    );
  }
  const none = { authUsername: '', authPassword: '', mediaEncryption: 0 };
  return {
    action: 'create',
    kind,
    name,
    fields: { ...addressFields(wanted), ...changedTrunkFields(none, settings) },
    make: async () => {
      const created = await api.createSipOutboundTrunk(name, target.address, numbers, {
        transport: target.transport,
        ...options,
      });
      return created.sipTrunkId;
    },
  };
}

const addressFields = ({
  numbers,
  address,
  transport,
}: Pick<SIPOutboundTrunkInfo, 'numbers' | 'address' | 'transport'>): Fields => ({
  numbers: listed(numbers),
  address,
  transport: nameOf(TRANSPORTS, transport),
});
