// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { EcsAgent } from './task-protection-endpoint.js';

/**
 * When a task without calls is protected. `ahead`: also then, so that no request stands in the way of a call.
 * `on_demand`: for the grace period after its last call. `leaving`: not at all.
 */
export type ProtectionMode = 'ahead' | 'on_demand' | 'leaving';

export interface ProtectionOptions {
  /** Milliseconds that a call may last; 0: no limit. Default 0. */
  longestCallMs?: number;
  /** Minutes until protection that is not renewed expires. Default: the longest call and 15 minutes, at most 2 880. */
  expiresInMinutes?: number;
  /** Milliseconds without a call until protection is released in the mode `on_demand`. Default 30 000. */
  graceMs?: number;
  /** Milliseconds from a failed request to the next, doubled with each failure up to six times as many. Default 10 000. */
  retryMs?: number;
  /** Uniformly distributed in 0 to 1. Default Math.random. */
  random?: () => number;
  /** Called for each request that ECS did not confirm. */
  onFailure?: (what: 'on' | 'off', reason: string) => void;
  /** Called when protection becomes confirmed, or is released. */
  onChange?: (confirmed: boolean) => void;
}

/** ECS takes 1 to 2 880 minutes (task-scale-in-protection-endpoint.html). */
const MAX_EXPIRY_MIN = 2_880;
/** Time in which a renewal that fails is repeated before protection no longer covers a new call. */
const MARGIN_MIN = 15;
/** Up to this share of a wait is added, so that the tasks of a service do not ask at once. */
const JITTER = 0.2;
const MAX_RETRY_FACTOR = 6;

/** The expiry that covers the longest call and the time to notice failed renewals. @returns minutes */
export function defaultExpiryMinutes(longestCallMs: number): number {
  if (longestCallMs === 0) return MAX_EXPIRY_MIN;
  return Math.min(MAX_EXPIRY_MIN, Math.ceil(longestCallMs / 60_000) + MARGIN_MIN);
}

/**
 * ECS task scale-in protection: scale-in and deployments pass a protected task over. It is renewed so that it always
 * lasts as long as the longest call: then it does not matter to the calls whether ECS refuses a renewal, which it may
 * do with DEPLOYMENT_BLOCKED while more tasks are protected than the service wants. A long expiry keeps no dead task
 * alive: ECS stops tasks that crash or are unhealthy all the same.
 *
 * No request is awaited unless a caller of `ensure` does. Expiry is counted from the moment a request was sent, never
 * from the date in ECS's answer, so a wrong clock cannot make us rely on protection that has expired.
 */
export class TaskProtection {
  readonly #agent: EcsAgent | undefined;
  readonly #clock: MonotonicClock;
  readonly #options: Required<Omit<ProtectionOptions, 'longestCallMs'>>;
  readonly #coverMs: number;
  readonly #renewAfterMs: number;
  #mode: ProtectionMode = 'on_demand';
  #holds = 0;
  #idleSince = Number.NEGATIVE_INFINITY;
  #confirmedUntil = Number.NEGATIVE_INFINITY;
  /** Until when the task may be protected, confirmed or not. */
  #maybeProtectedUntil = Number.NEGATIVE_INFINITY;
  #renewAt = Number.NEGATIVE_INFINITY;
  #retryAt = Number.NEGATIVE_INFINITY;
  #failures = 0;
  /** There is at most one request at a time: two could reach ECS in either order. */
  #request: { since: number } | undefined;
  #cancelTimer: (() => void) | undefined;
  #stopped = false;
  readonly #waiting = new Set<() => void>();

  /** @param agent undefined outside ECS: then a task counts as protected */
  constructor(agent: EcsAgent | undefined, clock: MonotonicClock, options: ProtectionOptions = {}) {
    const { longestCallMs = 0, ...rest } = options;
    const expiresInMinutes = options.expiresInMinutes ?? defaultExpiryMinutes(longestCallMs);
    const expiryMs = expiresInMinutes * 60_000;
    const marginMs = Math.min(MARGIN_MIN * 60_000, expiryMs / 2);
    this.#agent = agent;
    this.#clock = clock;
    this.#coverMs = Math.min(longestCallMs || Number.POSITIVE_INFINITY, expiryMs - marginMs);
    this.#renewAfterMs = marginMs / 3;
    this.#options = {
      graceMs: 30_000,
      retryMs: 10_000,
      random: Math.random,
      onFailure: () => {},
      onChange: () => {},
      ...rest,
      expiresInMinutes,
    };
  }

  /** Whether ECS has confirmed protection that still lasts. True outside ECS. */
  get confirmed(): boolean {
    return !this.#agent || this.#clock.now() < this.#confirmedUntil;
  }

  /** Whether confirmed protection lasts as long as the longest call that could start now. True outside ECS. */
  get covers(): boolean {
    return !this.#agent || this.#clock.now() + this.#coverMs <= this.#confirmedUntil;
  }

  /** Sets when a task without calls is protected. Default `on_demand`. */
  set mode(mode: ProtectionMode) {
    if (this.#mode === mode) return;
    this.#mode = mode;
    this.#plan();
  }

  /** Keeps the task protected for one more call, until `release`. */
  hold(): void {
    this.#holds += 1;
    this.#plan();
  }

  /** A call has ended. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0) return;
    this.#idleSince = this.#clock.now();
    this.#plan();
  }

  /**
   * Waits for protection that covers a new call, but no longer than until a request is `ms` old. So a request that
   * hangs delays only the calls that come in its first moments. @returns whether it covers a new call
   */
  async ensure(ms: number): Promise<boolean> {
    if (this.covers || !this.#request) return this.covers;
    const left = this.#request.since + ms - this.#clock.now();
    if (left <= 0) return false;
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        this.#waiting.delete(done);
        resolve(this.covers);
      };
      const cancel = this.#clock.after(left, done);
      this.#waiting.add(done);
    });
  }

  /** Stops renewing: the process is about to exit. */
  stop(): void {
    this.#stopped = true;
    this.#cancelTimer?.();
  }

  get #wanted(): boolean {
    return this.#holds > 0 || this.#mode === 'ahead';
  }

  /** Sets the one timer for what has to be done next, or does it. */
  #plan(): void {
    this.#cancelTimer?.();
    if (!this.#agent || this.#request || this.#stopped) return;
    const now = this.#clock.now();
    if (this.#wanted) {
      this.#at(Math.max(this.#renewAt, this.#retryAt), () => this.#send(true));
    } else if (now < this.#maybeProtectedUntil) {
      const graceMs = this.#mode === 'leaving' ? 0 : this.#options.graceMs;
      this.#at(Math.max(this.#idleSince + graceMs, this.#retryAt), () => this.#send(false));
    }
  }

  #at(time: number, fn: () => void): void {
    const ms = time - this.#clock.now();
    if (ms <= 0) fn();
    else this.#cancelTimer = this.#clock.after(ms, fn);
  }

  #send(enabled: boolean): void {
    this.#request = { since: this.#clock.now() };
    void (enabled ? this.#turnOn() : this.#turnOff()).then(() => {
      this.#request = undefined;
      if (enabled) for (const done of [...this.#waiting]) done();
      this.#plan();
    });
  }

  async #turnOn(): Promise<void> {
    const { expiresInMinutes, random, onFailure, onChange } = this.#options;
    const until = this.#clock.now() + expiresInMinutes * 60_000;
    const before = this.#maybeProtectedUntil;
    this.#maybeProtectedUntil = until;
    const answer = await this.#agent?.setProtection(true, expiresInMinutes);
    if (!answer?.ok) {
      if (answer?.rejected) this.#maybeProtectedUntil = before;
      this.#failed();
      onFailure('on', answer?.reason ?? 'unknown');
      return;
    }
    const changed = !this.confirmed;
    this.#confirmedUntil = until;
    this.#renewAt = this.#clock.now() + this.#renewAfterMs * (1 - JITTER * random());
    this.#succeeded();
    if (changed) onChange(true);
  }

  async #turnOff(): Promise<void> {
    const { expiresInMinutes, onFailure, onChange } = this.#options;
    // From here on protection is not to be relied on, whatever the result.
    if (this.confirmed) onChange(false);
    this.#confirmedUntil = Number.NEGATIVE_INFINITY;
    this.#renewAt = Number.NEGATIVE_INFINITY;
    const answer = await this.#agent?.setProtection(false, expiresInMinutes);
    if (answer?.ok) {
      this.#maybeProtectedUntil = Number.NEGATIVE_INFINITY;
      this.#succeeded();
    } else {
      this.#failed();
      onFailure('off', answer?.reason ?? 'unknown');
    }
  }

  #succeeded(): void {
    this.#failures = 0;
    this.#retryAt = Number.NEGATIVE_INFINITY;
  }

  #failed(): void {
    const { retryMs, random } = this.#options;
    const factor = Math.min(MAX_RETRY_FACTOR, 2 ** this.#failures);
    this.#failures += 1;
    this.#retryAt = this.#clock.now() + retryMs * factor * (1 + JITTER * random());
  }
}
