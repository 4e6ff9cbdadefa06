// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { EcsAgent, ProtectionAnswer } from './task-protection-endpoint.js';

export interface ProtectionOptions {
  /** Minutes until ECS forgets the protection of a task that no longer renews it. Default 5. */
  expiresInMinutes?: number;
  /** Milliseconds without a call until protection is taken off. Default 30 000. */
  graceMs?: number;
  /** Milliseconds after which a live protection is renewed. Default 40 % of the expiry. */
  renewAfterMs?: number;
  /** Milliseconds from a failed renewal or removal to the next try. Default 10 000. */
  retryMs?: number;
  /** Milliseconds after a failure in which jobs are refused without asking ECS again. Default 2 000. */
  restMs?: number;
  /** Called for each request that ECS did not confirm. */
  onFailure?: (what: 'on' | 'off', reason: string) => void;
  /** Called when protection becomes confirmed, or is given up. */
  onChange?: (confirmed: boolean) => void;
}

/** A job is taken only on protection that outlives the next few failed renewals. */
const MARGIN_MS = 30_000;

const OUTSIDE_ECS: ProtectionAnswer = { ok: true };

/**
 * ECS task scale-in protection: on before the first call is accepted, renewed while calls last, off after a
 * grace period. A protected task is passed over by scale-in and by deployments; a crashed one frees itself
 * when the short expiry runs out.
 *
 * Time is counted from the moment a request was sent, never from the date in ECS's answer, so a clock that is
 * wrong cannot make us believe in protection that has lapsed.
 */
export class TaskProtection {
  readonly #agent: EcsAgent | undefined;
  readonly #clock: MonotonicClock;
  readonly #options: Required<ProtectionOptions>;
  #holds = 0;
  #confirmedUntil = Number.NEGATIVE_INFINITY;
  #restUntil = Number.NEGATIVE_INFINITY;
  #renewAt = Number.NEGATIVE_INFINITY;
  /** Until when ECS may believe us protected, confirmed or not. */
  #maybeOnUntil = Number.NEGATIVE_INFINITY;
  #turningOn: Promise<boolean> | undefined;
  #turningOff: Promise<void> | undefined;
  #cancelTimer: (() => void) | undefined;

  /** @param agent undefined outside ECS: then every job may be taken. */
  constructor(agent: EcsAgent | undefined, clock: MonotonicClock, options: ProtectionOptions = {}) {
    const expiresInMinutes = options.expiresInMinutes ?? 5;
    this.#agent = agent;
    this.#clock = clock;
    this.#options = {
      expiresInMinutes,
      graceMs: options.graceMs ?? 30_000,
      renewAfterMs: options.renewAfterMs ?? expiresInMinutes * 60_000 * 0.4,
      retryMs: options.retryMs ?? 10_000,
      restMs: options.restMs ?? 2_000,
      onFailure: options.onFailure ?? (() => {}),
      onChange: options.onChange ?? (() => {}),
    };
  }

  /** Whether ECS has confirmed protection that still lasts. True outside ECS. */
  get confirmed(): boolean {
    return !this.#agent || this.#clock.now() < this.#confirmedUntil;
  }

  /**
   * Protects the task for one more call; false when ECS does not confirm it, and then nothing is held.
   * Calls that come together share one request.
   */
  async hold(): Promise<boolean> {
    this.#holds += 1;
    if (!(await this.#ensure())) {
      this.release();
      return false;
    }
    // After an idle spell the timer waits to let go; from now on it must renew.
    if (this.#holds === 1 && this.#agent) {
      this.#plan(Math.max(0, this.#renewAt - this.#clock.now()), () => this.#renew());
    }
    return true;
  }

  /** A call has ended. After the last one protection is kept for the grace period, then taken off. */
  release(): void {
    this.#holds -= 1;
    if (this.#holds > 0 || !this.#agent) return;
    this.#plan(this.#options.graceMs, () => this.#turnOff());
  }

  /** Stops renewing and forgets all plans: the process is about to exit. */
  stop(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  async #ensure(): Promise<boolean> {
    if (!this.#agent) return true;
    if (this.#clock.now() < this.#confirmedUntil - MARGIN_MS) return true;
    if (!this.#turningOn && this.#clock.now() < this.#restUntil) return false;
    return this.#turnOn();
  }

  #turnOn(): Promise<boolean> {
    this.#turningOn ??= this.#requestOn().finally(() => {
      this.#turningOn = undefined;
    });
    return this.#turningOn;
  }

  async #requestOn(): Promise<boolean> {
    // Two requests under way could reach ECS in either order.
    await this.#turningOff;
    const { expiresInMinutes, renewAfterMs, retryMs, restMs, onFailure, onChange } = this.#options;
    const until = this.#clock.now() + expiresInMinutes * 60_000;
    const believed = this.#maybeOnUntil;
    this.#maybeOnUntil = until;
    const answer = (await this.#agent?.setProtection(true, expiresInMinutes)) ?? OUTSIDE_ECS;
    if (answer.ok) {
      const news = !this.confirmed;
      this.#confirmedUntil = until;
      this.#renewAt = this.#clock.now() + renewAfterMs;
      this.#restUntil = Number.NEGATIVE_INFINITY;
      if (news) onChange(true);
    } else {
      if (answer.sure) this.#maybeOnUntil = believed;
      this.#restUntil = this.#clock.now() + restMs;
      onFailure('on', answer.reason);
    }
    if (this.#holds > 0) this.#plan(answer.ok ? renewAfterMs : retryMs, () => this.#renew());
    return answer.ok;
  }

  #renew(): void {
    if (this.#holds > 0) void this.#turnOn();
  }

  #turnOff(): void {
    if (this.#holds > 0 || this.#turningOff || this.#clock.now() >= this.#maybeOnUntil) return;
    this.#turningOff = this.#requestOff().finally(() => {
      this.#turningOff = undefined;
    });
  }

  async #requestOff(): Promise<void> {
    await this.#turningOn;
    if (this.#holds > 0) return;
    const { expiresInMinutes, retryMs, onFailure, onChange } = this.#options;
    // From here on nobody may rely on protection, however the request ends.
    if (this.confirmed) onChange(false);
    this.#confirmedUntil = Number.NEGATIVE_INFINITY;
    const answer = (await this.#agent?.setProtection(false, expiresInMinutes)) ?? OUTSIDE_ECS;
    if (answer.ok) {
      this.#maybeOnUntil = Number.NEGATIVE_INFINITY;
    } else {
      onFailure('off', answer.reason);
      if (this.#holds === 0) this.#plan(retryMs, () => this.#turnOff());
    }
  }

  /** One timer: what is planned is always about now, renewing or letting go. */
  #plan(ms: number, fn: () => void): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(ms, fn);
  }
}
