// SPDX-License-Identifier: Apache-2.0

import type { Room } from '@livekit/rtc-node';

/** LiveKit text-stream topic on which the agent tells the room what happens in the call. */
export const CALL_FEED_TOPIC = 'nova-sonic.call';

/** Topic on which a participant asks for what it missed: the `seq` from which on, as text. */
export const CALL_FEED_AGAIN_TOPIC = 'nova-sonic.call.again';

/** Attribute of the agent that says why the call has ended, also to who was told nothing else yet. */
export const CALL_ENDED_ATTRIBUTE = 'nova-sonic.ended';

/** So much is kept for those who missed it: some hours, or half an hour with the wire. */
const KEPT = 10_000;

/** When a thing happened: ms since the epoch, by the agent's clock. */
type At = { at: number };

/** Tokens of each kind. */
export interface Tokens {
  audioIn: number;
  audioOut: number;
  textIn: number;
  textOut: number;
}

/** US dollars for a million tokens of each kind. */
export type Prices = Tokens;

/** One Sonic event, or a run of audio events of one size told as one. */
export interface WireEvent {
  at: number;
  /** As the emulator's recordings have it. `in`: to the model; `out`: from the model. */
  direction: 'in' | 'out';
  streamId: string;
  /** `audioInput`, `textOutput`, ... */
  name: string;
  /** The event's body; of audio only the size is told. */
  event: Record<string, unknown>;
  /** How many events this one stands for; the last of them came at `until`. Absent: one. */
  count?: number;
  until?: number;
}

/** One thing that happened in a call; sent as JSON, one text stream each, in order. */
export type CallFeedMessage = At &
  (
    | {
        type: 'ready';
        model: string;
        voice: string;
        regions: string[];
        /** Whether the agent speaks first. */
        greets: boolean;
        /** Whether `wire` messages will follow. */
        wire: boolean;
        prices: Prices;
      }
    /** `agent`: initializing, listening, thinking, speaking. `user`: listening, speaking, away. */
    | { type: 'state'; who: 'agent' | 'user'; state: string }
    /** A message as it stands in the history: what was really said. */
    | { type: 'message'; role: 'user' | 'assistant'; text: string; interrupted: boolean }
    /** The model asks for a tool; a `tool` message with the same `callId` follows when it has ended. */
    | { type: 'tool_started'; callId: string; name: string; args: string }
    | {
        type: 'tool';
        callId: string;
        name: string;
        args: string;
        result: string;
        isError: boolean;
        ms: number;
      }
    /**
     * The parts of a reply's latency. `userSpeechEndedAt`: the last sample of the caller's speech reached the
     * plugin; `firstAudioReceivedAt`: the model's first audio arrived; `firstAudioAt`: it was handed to LiveKit.
     */
    | {
        type: 'turn';
        responseId: string;
        userSpeechEndedAt?: number;
        firstAudioReceivedAt?: number;
        firstAudioAt?: number;
        /** How long tools took between the question and this reply, ms: a part of the model's share. */
        toolWaitMs: number;
        interrupted: boolean;
      }
    | { type: 'barge_in'; sign: string; responseId?: string }
    /** Tokens since the call began. */
    | ({ type: 'usage' } & Tokens)
    /** What went over Bedrock's streams, only when CALL_WIRE is on. */
    | { type: 'wire'; events: WireEvent[] }
    | {
        type: 'stream';
        event: string;
        streamId: string;
        region: string;
        reason?: string;
        error?: string;
      }
    | { type: 'error'; message: string; recoverable: boolean }
    | { type: 'ended'; reason: string }
  );

type WithoutAt<T> = T extends At ? Omit<T, 'at'> : never;

/** A message as it is sent: `seq` counts from 0 in each call, so that one can see what is missing. */
export type NumberedFeedMessage = CallFeedMessage & { seq: number };

/**
 * Tells the room, in order; a room that is gone is no error, since the call goes on without its audience. LiveKit loses
 * what is sent before a participant is quite connected, or while it reconnects: who asks is told again.
 */
export class CallFeed {
  readonly #room: Room;
  #queue: Promise<void> = Promise.resolve();
  #kept: string[] = [];
  #next = 0;

  constructor(room: Room) {
    this.#room = room;
    room.registerTextStreamHandler(CALL_FEED_AGAIN_TOPIC, async (reader, { identity }) => {
      // Who asked may be gone in the middle of it.
      const asked = await reader.readAll().catch(() => undefined);
      if (asked === undefined) return;
      const from = Number.parseInt(asked, 10);
      const first = this.#next - this.#kept.length;
      for (const text of this.#kept.slice(Math.max(0, (from || 0) - first)))
        this.#send(text, [identity]);
    });
  }

  tell(message: WithoutAt<CallFeedMessage>, at = Date.now()): void {
    const text = JSON.stringify({ at, ...message, seq: this.#next++ });
    this.#kept.push(text);
    if (this.#kept.length > KEPT * 1.1) this.#kept.splice(0, this.#kept.length - KEPT);
    this.#send(text);
  }

  #send(text: string, to?: string[]): void {
    const options = { topic: CALL_FEED_TOPIC, ...(to && { destinationIdentities: to }) };
    this.#queue = this.#queue
      .then(() => this.#room.localParticipant?.sendText(text, options))
      .then(
        () => {},
        () => {},
      );
  }

  /**
   * Tells why the call has ended, twice: a call may fail before the page is quite connected, and nobody is there to
   * tell it again once the agent has left. Attributes are not lost.
   * @returns when everything told so far has been sent
   */
  async end(reason: string): Promise<void> {
    // Not awaited: without a connection it would keep the agent in the room.
    void this.#room.localParticipant
      ?.setAttributes({ [CALL_ENDED_ATTRIBUTE]: reason })
      .catch(() => {});
    this.tell({ type: 'ended', reason });
    await this.#queue;
  }
}
