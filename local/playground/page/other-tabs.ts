// SPDX-License-Identifier: Apache-2.0

/** A tab that has not been heard of for so long is gone. */
const GONE_MS = 5_000;
const EVERY_MS = 2_000;

const channel = new BroadcastChannel('nova-sonic-playground');
const me = crypto.randomUUID();
const others = new Map<string, number>();
let inCall = false;
let listener: (others: boolean) => void = () => {};

channel.onmessage = ({ data }: MessageEvent<{ tab: string; inCall: boolean }>) => {
  if (data.inCall) others.set(data.tab, Date.now());
  else others.delete(data.tab);
  tell();
};
// A tab that crashed says nothing.
setInterval(() => {
  for (const [tab, at] of others) if (Date.now() - at > GONE_MS) others.delete(tab);
  if (inCall) channel.postMessage({ tab: me, inCall });
  tell();
}, EVERY_MS);
window.addEventListener('pagehide', () => channel.postMessage({ tab: me, inCall: false }));

/** Calls `on` whenever other tabs of this page may have begun or ended a call. */
export function othersInCall(on: (others: boolean) => void): void {
  listener = on;
}

export function tellOthers(now: boolean): void {
  inCall = now;
  channel.postMessage({ tab: me, inCall });
  tell();
}

function tell(): void {
  listener(others.size > 0);
}
