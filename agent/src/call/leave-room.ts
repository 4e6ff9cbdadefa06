// SPDX-License-Identifier: Apache-2.0

import type { Room } from '@livekit/rtc-node';

const PATIENCE_MS = 5_000;

/**
 * Leaves a room. Never rejects, and resolves after 5 s at the latest: rtc-node's own `disconnect()` (0.13.35) waits for
 * ever when the client reconnects at that moment, as a fleet of 30 calls on two cores has shown.
 */
export async function leaveRoom(room: Pick<Room, 'disconnect'>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([room.disconnect().catch(() => {}), late]);
  clearTimeout(timer);
}
