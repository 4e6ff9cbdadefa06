// SPDX-License-Identifier: Apache-2.0

import type { Room } from '@livekit/rtc-node';
import {
  CALL_ENDED_ATTRIBUTE,
  CALL_EVENTS_REPLAY_TOPIC,
  CALL_EVENTS_TOPIC,
  type CallEvent,
} from './call-events.js';

/** Events kept for replay: some hours of a call, or half an hour with Bedrock events. */
const HISTORY_LENGTH = 10_000;

type WithoutAt<T> = T extends CallEvent ? Omit<T, 'at'> : never;

/**
 * Publishes the events of a call to its room, in order. Failures are ignored: the call goes on without an audience.
 * LiveKit loses what is sent before a participant is fully connected or while it reconnects, so participants can ask
 * for a replay.
 */
export class CallEventPublisher {
  readonly #room: Room;
  #queue: Promise<void> = Promise.resolve();
  #history: string[] = [];
  #nextSeq = 0;
  readonly #run: number;

  /** @param run how many processes of the call died before this one */
  constructor(room: Room, run = 0) {
    this.#room = room;
    this.#run = run;
    room.registerTextStreamHandler(CALL_EVENTS_REPLAY_TOPIC, async (reader, { identity }) => {
      // The participant may leave before its request is complete.
      const request = await reader.readAll().catch(() => undefined);
      if (request === undefined) return;
      const from = Number.parseInt(request, 10) || 0;
      const oldest = this.#nextSeq - this.#history.length;
      for (const text of this.#history.slice(Math.max(0, from - oldest)))
        this.#send(text, [identity]);
    });
  }

  /** @param at milliseconds since the epoch; default: now */
  publish(event: WithoutAt<CallEvent>, at = Date.now()): void {
    const run = this.#run;
    const text = JSON.stringify({ at, ...event, seq: this.#nextSeq++, ...(run > 0 && { run }) });
    this.#history.push(text);
    if (this.#history.length > HISTORY_LENGTH * 1.1) {
      this.#history.splice(0, this.#history.length - HISTORY_LENGTH);
    }
    this.#send(text);
  }

  #send(text: string, to?: string[]): void {
    const options = { topic: CALL_EVENTS_TOPIC, ...(to && { destinationIdentities: to }) };
    this.#queue = this.#queue
      .then(() => this.#room.localParticipant?.sendText(text, options))
      .then(
        () => {},
        () => {},
      );
  }

  /**
   * Publishes why the call ended, as an event and as an attribute: a call may fail before the page is fully connected,
   * and once the agent has left there is no replay. Attributes are not lost.
   * @returns when everything published so far has been sent
   */
  async end(reason: string): Promise<void> {
    // Not awaited: without a connection it would keep the agent in the room.
    void this.#room.localParticipant
      ?.setAttributes({ [CALL_ENDED_ATTRIBUTE]: reason })
      .catch(() => {});
    this.publish({ type: 'ended', reason });
    await this.#queue;
  }
}
