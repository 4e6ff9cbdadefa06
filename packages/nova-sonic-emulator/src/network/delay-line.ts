// SPDX-License-Identifier: Apache-2.0
import type { Clock } from '../clock.js';
import type { SeededRandom } from '../random.js';
import type { NetworkConditions } from './network-conditions.js';

interface InFlight {
  due: number;
  bytes: number;
  deliver: () => void;
}

/**
 * One direction of a connection: what is pushed is delivered in order, after latency, jitter, the time that its bytes
 * take at the bandwidth, and any stall. Without any of these it is delivered at once.
 */
export class DelayLine {
  private readonly queue: InFlight[] = [];
  private stopTimer?: () => void;
  private draining = false;
  /** When the line has sent what it was given. */
  private free = 0;
  private lastDue = 0;
  private stalledUntil = 0;

  /** @param conditions read for each push: they may change in mid-connection */
  constructor(
    private readonly clock: Clock,
    private readonly random: SeededRandom,
    private readonly conditions: () => NetworkConditions,
  ) {}

  /** Bytes on their way. */
  get inFlight(): number {
    return this.queue.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Delivers after everything that was pushed before. */
  push(bytes: number, deliver: () => void): void {
    const { latencyMs, jitterMs, bandwidthKbps } = this.conditions();
    const now = this.clock.now();
    const idle = this.queue.length === 0 && !this.draining && now >= this.stalledUntil;
    if (idle && latencyMs === 0 && jitterMs === 0 && bandwidthKbps === 0) {
      deliver();
      return;
    }
    const sending = bandwidthKbps > 0 ? (bytes * 8) / bandwidthKbps : 0;
    this.free = Math.max(this.free, now) + sending;
    const jitter = jitterMs > 0 ? this.random.between(-jitterMs, jitterMs) : 0;
    const due = Math.max(this.free + Math.max(0, latencyMs + jitter), this.lastDue);
    this.lastDue = due;
    this.queue.push({ due, bytes, deliver });
    this.arm();
  }

  /** Holds everything back for so long; then all of it arrives. */
  stall(ms: number): void {
    this.stalledUntil = Math.max(this.stalledUntil, this.clock.now() + ms);
    this.arm();
  }

  /** Drops what is on its way. */
  clear(): void {
    this.stopTimer?.();
    this.stopTimer = undefined;
    this.queue.length = 0;
  }

  private arm(): void {
    const [head] = this.queue;
    if (!head || this.draining) return;
    this.stopTimer?.();
    const at = Math.max(head.due, this.stalledUntil);
    this.stopTimer = this.clock.after(at - this.clock.now(), () => this.drain());
  }

  private drain(): void {
    this.stopTimer = undefined;
    this.draining = true;
    try {
      for (let [head] = this.queue; head; [head] = this.queue) {
        if (Math.max(head.due, this.stalledUntil) > this.clock.now()) break;
        this.queue.shift();
        head.deliver();
      }
    } finally {
      this.draining = false;
      this.arm();
    }
  }
}
