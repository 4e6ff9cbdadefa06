// SPDX-License-Identifier: Apache-2.0

import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { leaveRoom } from '../../../agent/src/call/leave-room.js';

describe('leaving a room', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  it('is done when the client has disconnected, and leaves no timer', async () => {
    let disconnected = () => {};
    const disconnect = () =>
      new Promise<void>((resolve) => {
        disconnected = resolve;
      });
    const done = jest.fn();
    const left = leaveRoom({ disconnect }).then(done);
    await jest.advanceTimersByTimeAsync(1_000);
    expect(done).not.toHaveBeenCalled();
    disconnected();
    await left;
    expect(jest.getTimerCount()).toBe(0);
  });

  it('is done after 5 s when the client never answers', async () => {
    const done = jest.fn();
    void leaveRoom({ disconnect: () => new Promise<void>(() => {}) }).then(done);
    await jest.advanceTimersByTimeAsync(4_999);
    expect(done).not.toHaveBeenCalled();
    await jest.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalled();
  });

  it('is done when the client fails', async () => {
    await leaveRoom({ disconnect: () => Promise.reject(new Error('no connection')) });
    expect(jest.getTimerCount()).toBe(0);
  });
});
