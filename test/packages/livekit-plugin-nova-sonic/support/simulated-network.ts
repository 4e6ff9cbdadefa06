// SPDX-License-Identifier: Apache-2.0
import type { Clock } from 'livekit-plugin-nova-sonic';

/** The network between client and service, each way. */
export interface SimulatedNetwork {
  readonly delayMs: number;
  readonly jitterMs: number;
}

/** One direction of a connection: what goes in comes out later and in order. */
export class Pipe<T> {
  #last = 0;

  constructor(
    readonly clock: Clock,
    readonly network: SimulatedNetwork,
    readonly random: () => number,
    readonly deliver: (value: T) => void,
  ) {}

  send(value: T): void {
    const { delayMs, jitterMs } = this.network;
    const at = Math.max(
      this.#last,
      this.clock.now() + delayMs + Math.round(this.random() * jitterMs),
    );
    this.#last = at;
    this.clock.after(at - this.clock.now(), () => this.deliver(value));
  }
}
