// SPDX-License-Identifier: Apache-2.0

/** A tab that has not sent a message for this long has been closed. */
const TIMEOUT_MS = 5_000;
const HEARTBEAT_MS = 2_000;

interface TabMessage {
  tab: string;
  inCall: boolean;
}

/** Knows whether other tabs of this page are in a call, and lets them know about this one. */
export class OtherTabs {
  readonly #channel = new BroadcastChannel('nova-sonic-playground');
  readonly #id = crypto.randomUUID();
  readonly #lastSeen = new Map<string, number>();
  readonly #onChange: (othersInCall: boolean) => void;
  #inCall = false;

  /** @param onChange called whenever another tab, or this one, may have started or ended a call */
  constructor(onChange: (othersInCall: boolean) => void) {
    this.#onChange = onChange;
    this.#channel.onmessage = ({ data }: MessageEvent<TabMessage>) => {
      if (data.inCall) this.#lastSeen.set(data.tab, Date.now());
      else this.#lastSeen.delete(data.tab);
      this.#notify();
    };
    // A tab that crashes sends no message.
    setInterval(() => {
      for (const [tab, at] of this.#lastSeen)
        if (Date.now() - at > TIMEOUT_MS) this.#lastSeen.delete(tab);
      if (this.#inCall) this.#send(true);
      this.#notify();
    }, HEARTBEAT_MS);
    window.addEventListener('pagehide', () => this.#send(false));
  }

  /** This tab has started or ended a call. */
  setInCall(inCall: boolean): void {
    this.#inCall = inCall;
    this.#send(inCall);
    this.#notify();
  }

  #send(inCall: boolean): void {
    const message: TabMessage = { tab: this.#id, inCall };
    this.#channel.postMessage(message);
  }

  #notify(): void {
    this.#onChange(this.#lastSeen.size > 0);
  }
}
