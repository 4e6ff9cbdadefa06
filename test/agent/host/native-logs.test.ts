// SPDX-License-Identifier: Apache-2.0

import type { EventEmitter } from 'node:events';
import { afterAll, expect, it } from '@jest/globals';
import { dispose, Room } from '@livekit/rtc-node';
import { stopNativeLogs } from '../../../agent/src/host/native-logs.js';

afterAll(() => dispose());

it('the native client sends its events, and no line of its log', async () => {
  expect(stopNativeLogs()).toBe(true);
  const client = (globalThis as { _ffiClientInstance?: EventEmitter })._ffiClientInstance;
  const kinds: (string | undefined)[] = [];
  client?.on('ffi_event', ({ message }) => kinds.push(message.case));
  // Nobody listens there: this alone made more than a hundred lines.
  await expect(new Room().connect('ws://127.0.0.1:1', 'no token')).rejects.toThrow(/connect/i);
  await expect(new Room().connect('ws://127.0.0.1:1', 'no token')).rejects.toThrow(/connect/i);
  expect(kinds.filter((kind) => kind === 'connect')).toHaveLength(2);
  // Lines that were on their way.
  expect(kinds.filter((kind) => kind === 'logs').length).toBeLessThan(10);
});
