// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';

/** Attributes of a phone that calls in. */
export const inbound = {
  'sip.ruleID': 'SDR_1',
  'sip.callStatus': 'active',
  'sip.phoneNumber': '+15551234567',
};

/** A room with one phone in it. */
export class FakePhoneRoom extends EventEmitter {
  readonly name = 'room-1';
  readonly phone = { identity: 'sip_1', attributes: { ...inbound } as Record<string, string> };
  readonly remoteParticipants = new Map([['sip_1', this.phone]]);
  readonly keys: string[] = [];
  failKeys = false;
  silent = false;
  readonly localParticipant = {
    publishDtmf: async (code: number, key: string) => {
      if (this.failKeys) throw new Error('no connection');
      if (this.silent) await new Promise(() => {});
      this.keys.push(`${code}:${key}`);
    },
  };
}
