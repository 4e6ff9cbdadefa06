// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { EcsAgent, ProtectionResult } from './task-protection-endpoint.js';

export interface ProtectionOptions {
  /** Minutes until the protection of a task that no longer renews it expires. Default 5. */
  expiresInMinutes?: number;
  /** Milliseconds without a call until protection is released. Default 30 000. */
  graceMs?: number;
  /** Milliseconds after which protection is renewed. Default 40 % of the expiry. */
  renewAfterMs?: number;
  /** Milliseconds from a failed renewal or removal to the next try. Default 10 000. */
  retryMs?: number;
  /** Milliseconds after a failure in which jobs are rejected without another request. Default 2 000. */
  backoffMs?: number;
  /** Called for each request that ECS did not confirm. */
  onFailure?: (what: 'on' | 'off', reason: string) => void;
  /** Called when protection becomes confirmed, or is released. */
  onChange?: (confirmed: boolean) => void;
}

/** A job is accepted only if protection lasts longer than this, for the next few failed renewals. */
const MARGIN_MS = 30_000;

const OUTSIDE_ECS: ProtectionResult = { ok: true };

/**
 * ECS task scale-in protection: on before the first call is accepted, renewed while calls last, off after a
 * grace period. Scale-in and deployments skip a protected task; the short expiry frees a crashed one.
 *
 * Expiry is counted from the moment a request was sent, never from the date in ECS's answer, so a wrong clock
 * cannot make us rely on protection that has expired.
 */
export class TaskProtection {
  readonly #agent: EcsAgent | undefined;
  readonly #clock: MonotonicClock;
  readonly #options: Required<ProtectionOptions>;
  #holds = 0;
  #confirmedUntil = Number.NEGATIVE_INFINITY;
  #backoffUntil = Number.NEGATIVE_INFINITY;
  #renewAt = Number.NEGATIVE_INFINITY;
  /** Until when the task may be protected, confirmed or not. */
  #maybeProtectedUntil = Number.NEGATIVE_INFINITY;
  #turningOn: Promise<boolean> | undefined;
  #turningOff: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  /** @param agent undefined outside ECS: then every job may be accepted */
  constructor(agent: EcsAgent | undefined, clock: MonotonicClock, options: ProtectionOptions = {}) {
    const expiresInMinutes = options.expiresInMinutes ?? 5;
    this.#agent = agent;
    this.#clock = clock;
    this.#options = {
      expiresInMinutes,
      graceMs: options.graceMs ?? 30_000,
      renewAfterMs: options.renewAfterMs ?? expiresInMinutes * 60_000 * 0.4,
      retryMs: options.retryMs ?? 10_000,
      backoffMs: options.backoffMs ?? 2_000,
      onFailure: options.onFailure ?? (() => {}),
      onChange: options.onChange ?? (() => {}),
    };
  }

  /** Whether ECS has confirmed protection that still lasts. True outside ECS. */
  get confirmed(): boolean {
    return !this.#agent || this.#clock.now() < this.#confirmedUntil;
  }

  /**
   * Protects the task for one more call, until `release`. False when ECS does not confirm it: then nothing is held.
   * Simultaneous calls share one request.
   */
  async hold(): Promise<boolean> {
    this.#holds += 1;
    if (!(await this.#ensure())) {
      this.release();
      return false;
    }
    // While idle the timer was set to release; from now on it must renew.
    if (this.#holds === 1 && this.#agent) {
      this.#schedule(Math.max(0, this.#renewAt - this.#clock.now()), () => this.#renew());
    }
    return true;
  }

  /** A call has ended. After the last one protection stays on for the grace period. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || !this.#agent) return;
    this.#schedule(this.#options.graceMs, () => this.#turnOff());
  }

  /** Stops renewing: the process is about to exit. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #ensure(): Promise<boolean> {
    if (!this.#agent) return true;
    if (this.#clock.now() < this.#confirmedUntil - MARGIN_MS) return true;
    if (!this.#turningOn && this.#clock.now() < this.#backoffUntil) return false;
    return this.#turnOn();
  }

  #turnOn(): Promise<boolean> {
    this.#turningOn ??= this.#requestOn().finally(() => {
      this.#turningOn = undefined;
    });
    return this.#turningOn;
  }

  async #requestOn(): Promise<boolean> {
    // Two concurrent requests could reach ECS in either order.
    await this.#turningOff;
    const { expiresInMinutes, renewAfterMs, retryMs, backoffMs, onFailure, onChange } =
      this.#options;
    const until = this.#clock.now() + expiresInMinutes * 60_000;
    const before = this.#maybeProtectedUntil;
    this.#maybeProtectedUntil = until;
    const answer = (await this.#agent?.setProtection(true, expiresInMinutes)) ?? OUTSIDE_ECS;
    if (answer.ok) {
      const changed = !this.confirmed;
      this.#confirmedUntil = until;
      this.#renewAt = this.#clock.now() + renewAfterMs;
      this.#backoffUntil = Number.NEGATIVE_INFINITY;
      if (changed) onChange(true);
    } else {
      if (answer.rejected) this.#maybeProtectedUntil = before;
      this.#backoffUntil = this.#clock.now() + backoffMs;
      onFailure('on', answer.reason);
    }
    if (this.#holds > 0) this.#schedule(answer.ok ? renewAfterMs : retryMs, () => this.#renew());
    return answer.ok;
  }

  #renew(): void {
    if (this.#holds > 0) void this.#turnOn();
  }

  #turnOff(): void {
    if (this.#holds > 0 || this.#turningOff || this.#clock.now() >= this.#maybeProtectedUntil)
      return;
    this.#turningOff = this.#requestOff().finally(() => {
      this.#turningOff = undefined;
    });
  }

  async #requestOff(): Promise<void> {
    await this.#turningOn;
    if (this.#holds > 0) return;
    const { expiresInMinutes, retryMs, onFailure, onChange } = this.#options;
    // From here on protection is not to be relied on, whatever the result.
    if (this.confirmed) onChange(false);
    this.#confirmedUntil = Number.NEGATIVE_INFINITY;
    const answer = (await this.#agent?.setProtection(false, expiresInMinutes)) ?? OUTSIDE_ECS;
    if (answer.ok) {
      this.#maybeProtectedUntil = Number.NEGATIVE_INFINITY;
    } else {
      onFailure('off', answer.reason);
      if (this.#holds === 0) this.#schedule(retryMs, () => this.#turnOff());
    }
  }

  /** There is one timer: it either renews or releases. */
  #schedule(ms: number, fn: () => void): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(ms, fn);
  }
}
