// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { initializeLogger, log, type voice } from '@livekit/agents';
import { type Room, RoomEvent } from '@livekit/rtc-node';
import { type KeypadOptions, listenToKeypad } from '../../../agent/src/phone/listen-to-keypad.js';
import { settle } from '../../support/manual-clock.js';

initializeLogger({ pretty: false, level: 'silent' });
afterEach(() => {
  jest.restoreAllMocks();
});

function listen(options?: KeypadOptions) {
  const room = new EventEmitter();
  const did: unknown[] = [];
  const session = {
    interrupt: () => did.push('interrupt'),
    generateReply: (reply: object) => did.push(reply),
  } as unknown as voice.AgentSession;
  let keys = 0;
  const stop = listenToKeypad(
    room as unknown as Room,
    session,
    (identity) => identity === 'ann',
    options,
    () => {
      keys += 1;
    },
  );
  const press = (digits: string, identity = 'ann') =>
    [...digits].forEach((digit) => {
      room.emit(RoomEvent.DtmfReceived, 0, digit, { identity });
    });
  return { room, did, press, stop, keyCount: () => keys };
}

describe('keys of the caller', () => {
  it('are told to the model, which stops what it says', async () => {
    const { did, press } = listen();
    press('12#');
    await settle();
    expect(did).toEqual(['interrupt', { userInput: '(The caller pressed 1 2 on the keypad.)' }]);
  });

  it('go to the handler, and the model is told what it returns', async () => {
    const entries: string[] = [];
    const { did, press } = listen({
      onDigits: async (digits) => {
        entries.push(digits);
        return digits === '1234' ? 'Say that the PIN is right.' : undefined;
      },
    });
    press('1234#');
    press('99#');
    await settle();
    expect(entries).toEqual(['1234', '99']);
    expect(did).toEqual(['interrupt', { instructions: 'Say that the PIN is right.' }]);
  });

  it('do no harm when the handler throws', async () => {
    const { did, press } = listen({
      entry: 'digit',
      onDigits: () => {
        throw new Error('no database');
      },
    });
    press('1');
    await settle();
    expect(did).toEqual([]);
  });

  it('of others, and of nobody, are ignored', async () => {
    const { room, did, press, keyCount } = listen({ entry: 'digit' });
    press('1', 'supervisor');
    room.emit(RoomEvent.DtmfReceived, 1, '1', undefined);
    await settle();
    expect(did).toEqual([]);
    expect(keyCount()).toBe(0);
  });

  it('are heard until the end of the call', () => {
    const { room, press, stop, keyCount } = listen();
    press('1');
    stop();
    press('2');
    expect(keyCount()).toBe(1);
    expect(room.listenerCount(RoomEvent.DtmfReceived)).toBe(0);
  });

  it('are not logged where PINs must not be', async () => {
    const info = jest.spyOn(log(), 'info').mockReturnValue(undefined);
    listen({ onDigits: () => {} }).press('1234#');
    await settle();
    expect(info.mock.calls).toEqual([[{ keys: 4, 'lk.pii.keys': '1234' }, 'keys pressed']]);
  });
});
