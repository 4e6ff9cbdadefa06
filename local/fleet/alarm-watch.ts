// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';

/** Alarms that fail a deployment, as `deploymentConfiguration.alarms` of a service names them. */
export interface AlarmSettings {
  names: readonly string[];
  /** Go back to the last deployment that was COMPLETED. Default true. */
  rollback?: boolean;
  /**
   * How long ECS goes on watching once the new tasks are healthy and the old ones are gone, in ms. ECS computes it from
   * the alarms, and does not say how.
   */
  bakeMs: number;
  /**
   * Unverified: when some alarms are in ALARM as a deployment starts, whether the others are watched. AWS Copilot's manual
   * says that none is. Default false.
   */
  watchOthers?: boolean;
}

interface Watch {
  readonly names: ReadonlySet<string>;
  /** The bake time begins once. */
  bakedAt?: number;
}

/**
 * The deployment alarms of one service. Sources: AmazonECS/latest/developerguide/deployment-alarm-failure.html: an alarm
 * that goes into ALARM fails a deployment that is IN_PROGRESS; it is COMPLETED when the service is steady and the bake time
 * is over. aws/copilot-cli, site/content/docs/include/deployment.en.md: an alarm that is in ALARM when a deployment
 * starts is not watched.
 */
export class AlarmWatch {
  readonly #settings: AlarmSettings;
  readonly #clock: MonotonicClock;
  readonly #inAlarm = new Set<string>();
  readonly #watched = new Map<string, Watch>();

  constructor(settings: AlarmSettings, clock: MonotonicClock) {
    this.#settings = settings;
    this.#clock = clock;
  }

  get rollback(): boolean {
    return this.#settings.rollback ?? true;
  }

  /** A deployment begins, or becomes the primary one again. */
  started(deployment: string): void {
    const { names, watchOthers } = this.#settings;
    const quiet = names.filter((name) => !this.#inAlarm.has(name));
    const watched = watchOthers || quiet.length === names.length ? quiet : [];
    this.#watched.set(deployment, { names: new Set(watched) });
  }

  /** @returns whether that fails the deployment, if it is in progress */
  change(deployment: string, name: string, state: 'OK' | 'ALARM'): boolean {
    const before = this.#inAlarm.has(name);
    if (state === 'OK') this.#inAlarm.delete(name);
    else this.#inAlarm.add(name);
    return state === 'ALARM' && !before && this.#watching(deployment).has(name);
  }

  /**
   * The deployment is steady: true when its bake time is over, else `then` is called when it is. Without an alarm to
   * watch there is none.
   */
  baked(deployment: string, then: () => void): boolean {
    const watch = this.#watched.get(deployment);
    if (!watch || watch.names.size === 0) return true;
    const now = this.#clock.now();
    if (watch.bakedAt === undefined) {
      watch.bakedAt = now + this.#settings.bakeMs;
      this.#clock.after(this.#settings.bakeMs, then);
    }
    return now >= watch.bakedAt;
  }

  #watching(deployment: string): ReadonlySet<string> {
    return this.#watched.get(deployment)?.names ?? new Set();
  }
}
