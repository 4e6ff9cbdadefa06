// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../../agent/src/clock.js';
import type { EcsTask } from './ecs-model.js';

const MINUTE = 60_000;

/** Which tasks are protected from scale-in, and until when. It grants every request; the scheduler decides. */
export class TaskProtections {
  readonly #expiry = new Map<EcsTask, { at: number; cancel: () => void }>();

  constructor(
    private readonly clock: MonotonicClock,
    /** A protection has expired. */
    private readonly expired: () => void,
  ) {}

  /** Protects a task, or counts its time anew. @returns when the protection expires, in ms of the clock */
  begin(task: EcsTask, minutes: number): number {
    this.#expiry.get(task)?.cancel();
    const at = this.clock.now() + minutes * MINUTE;
    const cancel = this.clock.after(minutes * MINUTE, () => {
      this.end(task);
      this.expired();
    });
    this.#change(task, true);
    this.#expiry.set(task, { at, cancel });
    return at;
  }

  end(task: EcsTask): void {
    this.#expiry.get(task)?.cancel();
    this.#expiry.delete(task);
    this.#change(task, false);
  }

  /** When the protection of a task expires, in ms of the clock; undefined without one. */
  until(task: EcsTask): number | undefined {
    return this.#expiry.get(task)?.at;
  }

  #change(task: EcsTask, enabled: boolean): void {
    if (task.protected === enabled) return;
    task.protected = enabled;
    task.protectionChanges.push({ at: this.clock.now(), protected: enabled });
  }
}
