// SPDX-License-Identifier: Apache-2.0

import type { AgentServer } from '@livekit/agents';
import { WorkerMessage, WorkerStatus } from '@livekit/protocol';

export interface RegistrationEvents {
  /** LiveKit has accepted this worker for the first time. */
  onFirstRegistered(): void;
  onConnectionLost(): void;
}

/**
 * Reports the load to LiveKit when it changes. The framework reports it every 2.5 seconds: a task that has just become
 * full would be offered jobs until then. A message sent before an answer also arrives before it.
 */
export class LoadReporter {
  #registration: 'pending' | 'registered' | 'lost' = 'pending';

  constructor(
    private readonly server: AgentServer,
    private readonly load: () => number,
    private readonly events: RegistrationEvents,
  ) {
    server.event.on('worker_registered', () => {
      const first = this.#registration === 'pending';
      this.#registration = 'registered';
      if (first) events.onFirstRegistered();
      this.report();
    });
  }

  /** Whether the worker is registered with LiveKit now. */
  get registered(): boolean {
    return this.#registration === 'registered';
  }

  report(): void {
    const load = this.load();
    const status = load >= 1 ? WorkerStatus.WS_FULL : WorkerStatus.WS_AVAILABLE;
    this.server.event.emit(
      'worker_msg',
      new WorkerMessage({ message: { case: 'updateWorker', value: { load, status } } }),
    );
    // The framework forwards these messages with a listener that it removes when it finds its connection closed:
    // no listener is its only public sign of a lost connection.
    if (this.registered && this.server.event.listenerCount('worker_msg') === 0) {
      this.#registration = 'lost';
      this.events.onConnectionLost();
    }
  }
}
