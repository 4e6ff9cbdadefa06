// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import type { RealtimeSession, StreamLifecycle } from 'livekit-plugin-nova-sonic';
import type { MonotonicClock } from '../clock.js';
import type { CallReporter, SupervisorClient } from '../supervision/supervisor-client.js';

/**
 * A call's wait for a Bedrock stream while every lane is full: its place among the calls of the task that wait, how long
 * that takes, and a line in the log when it begins and when it ends.
 */
export class LaneWait {
  readonly #job: string;
  readonly #reporter: Pick<CallReporter, 'addMetric'>;
  readonly #supervisor: Pick<SupervisorClient, 'laneTurn' | 'leaveLaneQueue'>;
  readonly #clock: MonotonicClock;
  #since: number | undefined;
  #hadStream = false;
  /** Called when a wait begins. */
  onWait: () => void = () => {};

  constructor(
    job: string,
    reporter: Pick<CallReporter, 'addMetric'>,
    supervisor: Pick<SupervisorClient, 'laneTurn' | 'leaveLaneQueue'>,
    clock: MonotonicClock,
  ) {
    this.#job = job;
    this.#reporter = reporter;
    this.#supervisor = supervisor;
    this.#clock = clock;
  }

  get waits(): boolean {
    return this.#since !== undefined;
  }

  /** For the plugin's `retry.turn`. */
  readonly turn = (refused: boolean): Promise<void> | undefined => {
    // The next agent of a call takes over the stream of the one before.
    if (!refused && this.#hadStream) return undefined;
    const turn = this.#supervisor.laneTurn(this.#job, refused);
    if ((refused || turn) && !this.waits) {
      this.#since = this.#clock.now();
      log().info({ call_id: this.#job }, 'caller waits for a stream');
      this.onWait();
    }
    return turn;
  };

  observeRealtimeSession(session: Pick<RealtimeSession, 'on'>): void {
    session.on('stream_lifecycle', ({ type }: StreamLifecycle) => {
      if (type !== 'opened') return;
      this.#hadStream = true;
      this.#end(true);
    });
    session.on('error', ({ recoverable }: { recoverable: boolean }) => {
      if (!recoverable) this.#end(false);
    });
  }

  /** The call ends. */
  close(): void {
    this.#end(false);
  }

  #end(served: boolean): void {
    if (this.#since === undefined) return;
    const ms = Math.round(this.#clock.now() - this.#since);
    this.#since = undefined;
    this.#supervisor.leaveLaneQueue(this.#job);
    this.#reporter.addMetric('TimeWaitedForStream', ms);
    const fields = { call_id: this.#job, waited_ms: ms, served };
    log().info(fields, 'caller has waited for a stream');
  }
}
