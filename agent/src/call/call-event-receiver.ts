// SPDX-License-Identifier: Apache-2.0

import type { CallEvent, SequencedCallEvent } from './call-events.js';
import { readCallEvent } from './read-call-event.js';
import { ReorderBuffer } from './reorder-buffer.js';

/** How often to call `tick`, in ms. */
export const CALL_EVENTS_TICK_MS = 1_000;

const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0;

/**
 * Receives what one agent publishes about a call, each event once and in order. LiveKit loses what is sent before a
 * participant is fully connected, and text streams overtake each other.
 */
export class CallEventReceiver {
  readonly #deliver: (event: CallEvent, receivedAt: number) => void;
  readonly #requestFrom: (seq: number) => void;
  #run = 0;
  #buffer: ReorderBuffer<{ event: CallEvent; at: number }>;

  /**
   * @param deliver gets each event, and when its text arrived
   * @param requestFrom asks the agent for all events from `seq`, on CALL_EVENTS_REPLAY_TOPIC
   */
  constructor(
    deliver: (event: CallEvent, receivedAt: number) => void,
    requestFrom: (seq: number) => void,
  ) {
    this.#deliver = deliver;
    this.#requestFrom = requestFrom;
    this.#buffer = this.#newBuffer();
  }

  /**
   * @param text of CALL_EVENTS_TOPIC, where anybody in the room may publish; what is no event is ignored
   * @param at when it arrived, in ms since the epoch
   */
  receive(text: string, at = Date.now()): void {
    const sequenced = readCallEvent<SequencedCallEvent>(text);
    if (!sequenced) return;
    const { seq, run = 0, ...event } = sequenced;
    if (!isCount(seq) || !isCount(run) || run < this.#run) return;
    if (run > this.#run) {
      this.#buffer.end();
      this.#buffer = this.#newBuffer();
    }
    this.#run = run;
    this.#buffer.add(seq, { event, at });
  }

  /** Call about every CALL_EVENTS_TICK_MS while the agent is in the room. */
  tick(now = Date.now()): void {
    this.#buffer.tick(now);
  }

  /** Call after a time in which events may have been lost. */
  catchUp(): void {
    this.#buffer.catchUp();
  }

  /** Call when the agent has left: what it cannot send again any more is not waited for. */
  end(): void {
    this.#buffer.end();
  }

  #newBuffer(): ReorderBuffer<{ event: CallEvent; at: number }> {
    return new ReorderBuffer(({ event, at }) => this.#deliver(event, at), this.#requestFrom);
  }
}
