// SPDX-License-Identifier: Apache-2.0

import type {
  CreateSipOutboundTrunkOptions,
  SIPInboundTrunkInfo,
  SIPOutboundTrunkInfo,
  SipInboundTrunkUpdateOptions,
} from 'livekit-server-sdk';
import type { Fields } from './change.js';

/** How the provider is reached; LiveKit's enum SIPTransport. */
export const TRANSPORTS = { auto: 0, udp: 1, tcp: 2, tls: 3 } as const satisfies Record<
  string,
  CreateSipOutboundTrunkOptions['transport']
>;
/** Encryption of the audio between LiveKit and the provider (SRTP); LiveKit's enum SIPMediaEncryption. */
export const ENCRYPTIONS = { disable: 0, allow: 1, require: 2 } as const satisfies Record<
  string,
  SIPInboundTrunkInfo['mediaEncryption']
>;

/** What both kinds of trunk have. A value that is left out stays as it is. */
export interface TrunkSettings {
  /** In E.164 form. */
  numbers?: string[];
  /** '' removes the login. */
  username?: string;
  password?: string;
  encryption?: keyof typeof ENCRYPTIONS;
}

type Trunk = Pick<
  SIPInboundTrunkInfo | SIPOutboundTrunkInfo,
  'authUsername' | 'authPassword' | 'media' | 'mediaEncryption'
>;

/** @throws Error with one sentence when a user name would be without a password, or the other way round */
export function checkLogin({ username, password }: TrunkSettings, trunk?: Trunk): void {
  if (username && !password && username !== trunk?.authUsername)
    throw new Error(`There is no password for ${username}: set SIP_PASSWORD.`);
  if (password && !(username ?? trunk?.authUsername))
    throw new Error('SIP_PASSWORD is set, but no user name: give it with --username.');
}

/** Login and encryption in the form of LiveKit's requests. */
export function trunkOptions({ username, password, encryption }: TrunkSettings, trunk?: Trunk) {
  const newPassword = username === '' ? '' : password || undefined;
  const media = encryption && trunk?.media?.clone();
  if (media) media.encryption = ENCRYPTIONS[encryption];
  return {
    ...(username !== undefined && { authUsername: username }),
    ...(newPassword !== undefined && { authPassword: newPassword }),
    // The field that servers of every version take. Newer ones keep it in `media`, and take its 0, disable, only there.
    ...(encryption && { mediaEncryption: ENCRYPTIONS[encryption] }),
    ...(media && { media }),
  };
}

export function trunkFields(trunk: Trunk): Fields {
  return {
    'user name': trunk.authUsername || 'none',
    password: trunk.authPassword ? 'set' : 'none',
    encryption: nameOf(ENCRYPTIONS, trunk.media?.encryption ?? trunk.mediaEncryption),
  };
}

/** What a trunk will show, with these settings. */
export function changedTrunkFields(trunk: Trunk, settings: TrunkSettings): Fields {
  const { authUsername, authPassword } = { ...trunk, ...trunkOptions(settings) };
  const before = trunkFields(trunk);
  const anew = trunk.authPassword && authPassword && authPassword !== trunk.authPassword;
  return {
    'user name': authUsername || 'none',
    password: anew ? 'another one' : authPassword ? 'set' : 'none',
    encryption: settings.encryption ?? before.encryption ?? '',
  };
}

/** LiveKit's ListUpdate, whose class the SDK does not export; its requests take the plain object. */
export function listUpdate(values: string[]) {
  const update: object = values.length > 0 ? { set: values } : { clear: true };
  return update as NonNullable<SipInboundTrunkUpdateOptions['numbers']>;
}

export const listed = (values: readonly string[]): string => values.join(', ') || 'any';

export const nameOf = (names: Record<string, number>, value: number): string =>
  Object.keys(names).find((name) => names[name] === value) ?? String(value);
