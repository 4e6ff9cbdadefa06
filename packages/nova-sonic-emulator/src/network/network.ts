// SPDX-License-Identifier: Apache-2.0
import { type NetworkConditions, NO_NETWORK, networkConditions } from './network-conditions.js';

/** What can hold a connection back. */
interface Stallable {
  stall(ms: number): void;
}

/** The network of one emulator: its conditions, which may change at any time, and the connections that it holds back. */
export class EmulatedNetwork {
  private current: NetworkConditions;
  private readonly connections = new Set<Stallable>();

  constructor(conditions: Partial<NetworkConditions> = {}) {
    this.current = networkConditions(conditions);
  }

  get conditions(): NetworkConditions {
    return this.current;
  }

  /** Changes the conditions; fields that are left out stay. @throws Error */
  set(conditions: Partial<NetworkConditions>): NetworkConditions {
    this.current = networkConditions(conditions, this.current);
    return this.current;
  }

  reset(): void {
    this.current = NO_NETWORK;
  }

  /** Holds every live connection back, both ways. */
  stall(ms: number): void {
    if (!(ms > 0)) throw new Error(`a stall of ${ms} ms; it must be above 0.`);
    for (const connection of this.connections) connection.stall(ms);
  }

  /** Registers a connection; returns what removes it. */
  join(connection: Stallable): () => void {
    this.connections.add(connection);
    return () => this.connections.delete(connection);
  }
}
