// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import { DeploymentStanding, type Standing } from './deployment-standing.js';
import type {
  ServiceApi,
  ServiceReading,
  ServingTasks,
  TaskListing,
  TaskOrigin,
} from './service-api.js';

export interface DeploymentWatchOptions {
  /** Milliseconds between two requests to the ECS API, at least. Default 60 000. */
  intervalMs?: number;
  /** See DeploymentStanding. Default 120 000. */
  settleMs?: number;
  /** Uniformly distributed in 0 to 1. Default Math.random. */
  random?: () => number;
  onStanding?: (standing: Standing) => void;
  /** ECS has told what started this task. */
  onIdentity?: () => void;
  /** ECS has not answered for so long that the task goes by itself (false), or answers again (true). */
  onInformed?: (informed: boolean) => void;
  onFailure?: (error: unknown) => void;
}

/** Up to this share of the interval is added to it, so that the tasks of a service do not ask at once. */
const JITTER = 0.2;
/** The first request comes within this share of the interval, or time: the others are to know soon that this task takes calls. */
const FIRST_SHARE = 1 / 30;
const FIRST_MS = 2_000;
/** The interval doubles with each failure in a row, up to this many times the interval. */
const MAX_BACKOFF = 8;
/** After so many intervals without an answer a reading says nothing any more. */
const STALE_INTERVALS = 6;

/**
 * Finds out whether this task should take new calls: ECS tells a protected task nothing about a deployment or a
 * scale-in, so it has to ask. One request a minute at most; they are DescribeTasks once, then DescribeServices, and
 * every other time ListTasks while the service has too many tasks. In between the tasks tell each other of a deployment
 * that takes calls, see `hear`.
 *
 * Without an answer the task is `current`: it goes on serving.
 * Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection.html
 */
export class DeploymentWatch {
  readonly #connect: () => Promise<ServiceApi>;
  readonly #clock: MonotonicClock;
  readonly #options: Required<DeploymentWatchOptions>;
  #api: ServiceApi | undefined;
  #origin: TaskOrigin | undefined;
  #history: DeploymentStanding | undefined;
  #surplusOf: ServiceReading | undefined;
  #listing: TaskListing | undefined;
  #standing: Standing = 'current';
  #informed = true;
  #answeredAt: number;
  #failures = 0;
  #stopped = false;
  #cancel: (() => void) | undefined;

  /** @param connect finds out who this task is; called again until it succeeds */
  constructor(
    connect: () => Promise<ServiceApi>,
    clock: MonotonicClock,
    options: DeploymentWatchOptions = {},
  ) {
    this.#connect = connect;
    this.#clock = clock;
    this.#answeredAt = clock.now();
    this.#options = {
      intervalMs: 60_000,
      settleMs: 120_000,
      random: Math.random,
      onStanding: () => {},
      onIdentity: () => {},
      onInformed: () => {},
      onFailure: () => {},
      ...options,
    };
  }

  get standing(): Standing {
    return this.#standing;
  }

  /** Whether `standing` rests on an answer that is not too old. A new task is taken to be current. */
  get informed(): boolean {
    return this.#informed;
  }

  /** Who this task is, to others: the service with its cluster. Undefined until ECS has told. */
  get identity(): TaskOrigin | undefined {
    if (!this.#api || !this.#origin) return undefined;
    // arn:aws:ecs:REGION:ACCOUNT:task/CLUSTER/ID; the account is nobody's business.
    const cluster = this.#api.taskArn.split('/').at(-2) ?? '';
    return { ...this.#origin, service: `${cluster}/${this.#origin.service}` };
  }

  /** Starts asking; the requests after the first are spread over the interval. */
  start(): void {
    const { intervalMs, random } = this.#options;
    this.#schedule(Math.min(FIRST_SHARE * intervalMs, FIRST_MS) * random());
  }

  /** How many tasks take calls of each deployment, also of other services. */
  hear(serving: readonly ServingTasks[]): void {
    const service = this.identity?.service;
    // What ECS said last is too old to tell which deployment is the newer one.
    if (!this.#informed || this.#stopped) return;
    const own = serving.filter((one) => one.service === service);
    if (this.#history?.hear(own, this.#clock.now())) this.#setStanding('superseded');
    else if (this.#standing === 'superseded') this.#setStanding('current');
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
  }

  #schedule(ms: number): void {
    this.#cancel = this.#clock.after(ms, () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { intervalMs, random, onFailure } = this.#options;
    const first = !this.#origin;
    // Counted from the request, not the answer: that may be slow.
    const from = this.#clock.now();
    try {
      await this.#read();
      this.#failures = 0;
      this.#answeredAt = this.#clock.now();
      this.#setInformed(true);
    } catch (error) {
      this.#failures += 1;
      if (this.#clock.now() - this.#answeredAt >= STALE_INTERVALS * intervalMs) {
        this.#setInformed(false);
        this.#setStanding('current');
      }
      onFailure(error);
    }
    if (this.#stopped) return;
    const backoff = Math.min(MAX_BACKOFF, 2 ** this.#failures);
    const spread = first && this.#origin ? 1 : JITTER;
    const wait = intervalMs * backoff * (1 + spread * random());
    this.#schedule(Math.max(0, from + wait - this.#clock.now()));
  }

  /** One request to the API. */
  async #read(): Promise<void> {
    this.#api ??= await this.#connect();
    const { taskArn } = this.#api;
    if (!this.#origin || !this.#history) {
      this.#origin = await this.#api.describeOwnTask();
      this.#history = new DeploymentStanding(this.#origin.deployment, this.#options.settleMs);
      if (!this.#stopped) this.#options.onIdentity();
      return;
    }
    if (this.#surplusOf) {
      const service = this.#surplusOf;
      this.#surplusOf = undefined;
      this.#listing = await this.#api.listTasks(this.#origin.deployment);
      const surplus = { taskArn, listing: this.#listing };
      this.#setStanding(this.#history.observe(service, this.#clock.now(), surplus));
      return;
    }
    const service = await this.#api.describeService(this.#origin.service);
    if (this.#history.hasSurplus(service)) this.#surplusOf = service;
    else this.#listing = undefined;
    const listing = this.#listing;
    this.#setStanding(
      this.#history.observe(service, this.#clock.now(), listing && { taskArn, listing }),
    );
  }

  #setStanding(standing: Standing): void {
    if (this.#standing === standing) return;
    this.#standing = standing;
    this.#options.onStanding(standing);
  }

  #setInformed(informed: boolean): void {
    if (this.#informed === informed) return;
    this.#informed = informed;
    this.#options.onInformed(informed);
  }
}
