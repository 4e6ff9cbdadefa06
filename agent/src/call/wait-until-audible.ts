// SPDX-License-Identifier: Apache-2.0

import type { LocalTrackPublication } from '@livekit/rtc-node';

/** What is played before somebody has subscribed is lost; whoever subscribes to nothing is not waited for. */
const SUBSCRIBED_MS = 1_200;
/** From the subscription until audio arrives reliably. */
const SETTLE_MS = 100;

/** Resolves when what is played on a track is heard, or when nobody has subscribed to it for too long. Never rejects. */
export async function waitUntilAudible(
  publication: Pick<LocalTrackPublication, 'waitForSubscription'> | undefined,
): Promise<void> {
  await Promise.race([publication?.waitForSubscription().catch(() => {}), pass(SUBSCRIBED_MS)]);
  await pass(SETTLE_MS);
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
