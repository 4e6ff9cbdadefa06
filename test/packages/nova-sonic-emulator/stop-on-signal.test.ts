// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { describe, expect, jest, test } from '@jest/globals';
import { stopOnSignal } from '../../../packages/nova-sonic-emulator/src/stop-on-signal.js';

function command() {
  const exit = jest.fn();
  const target = Object.assign(new EventEmitter(), { exit });
  const time = { now: 0 };
  let stopped: () => void = () => {};
  const stop = jest.fn(
    () =>
      new Promise<void>((resolve) => {
        stopped = resolve;
      }),
  );
  stopOnSignal(stop, target as unknown as NodeJS.Process, () => time.now);
  return { target, exit, time, stop, stopped: () => stopped() };
}

describe('stopOnSignal', () => {
  test('stops in order, once, also when npx passes the signal on', async () => {
    const { target, exit, time, stop, stopped } = command();
    target.emit('SIGINT');
    time.now = 60;
    target.emit('SIGINT');
    expect(stop).toHaveBeenCalledTimes(1);
    expect(exit).not.toHaveBeenCalled();
    stopped();
    await new Promise(setImmediate);
    expect(exit.mock.calls).toEqual([[0]]);
  });

  test('exits at once at a second signal', () => {
    const { target, exit, time } = command();
    target.emit('SIGTERM');
    time.now = 1_000;
    target.emit('SIGINT');
    expect(exit.mock.calls).toEqual([[130]]);
  });
});
