// SPDX-License-Identifier: Apache-2.0

import type { AgentServer } from '@livekit/agents';
import { WorkerMessage, WorkerStatus } from '@livekit/protocol';

/**
 * Tells LiveKit the load when it changes, where the framework tells it every 2.5 seconds: a task that has just
 * become full would be offered jobs until then. A message sent before an answer also arrives before it.
 */
export class LoadReporter {
  #registered = false;

  constructor(
    private readonly server: AgentServer,
    private readonly load: () => number,
    private readonly onRegistered: (registered: boolean) => void,
  ) {
    server.event.on('worker_registered', () => {
      this.#set(true);
      this.report();
    });
  }

  /** Whether LiveKit knows us now. */
  get registered(): boolean {
    return this.#registered;
  }

  report(): void {
    const load = this.load();
    const status = load >= 1 ? WorkerStatus.WS_FULL : WorkerStatus.WS_AVAILABLE;
    this.server.event.emit(
      'worker_msg',
      new WorkerMessage({ message: { case: 'updateWorker', value: { load, status } } }),
    );
    // The framework listens to these messages on behalf of its connection, and stops with the first one that
    // it finds the connection closed for: no listener is its only public sign of a lost connection.
    if (this.server.event.listenerCount('worker_msg') === 0) this.#set(false);
  }

  #set(registered: boolean): void {
    if (this.#registered === registered) return;
    this.#registered = registered;
    this.onRegistered(registered);
  }
}
