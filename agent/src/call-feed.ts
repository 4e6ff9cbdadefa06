// SPDX-License-Identifier: Apache-2.0

import type { Room } from '@livekit/rtc-node';

/** LiveKit text-stream topic on which the agent tells the room what happens in the call. */
export const CALL_FEED_TOPIC = 'nova-sonic.call';

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
    | { type: 'tool'; name: string; args: string; result: string; isError: boolean; ms: number }
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

/** Tells the room, in order; a room that is gone is no error, since the call goes on without its audience. */
export class CallFeed {
  readonly #room: Room;
  #queue: Promise<void> = Promise.resolve();

  constructor(room: Room) {
    this.#room = room;
  }

  tell(message: WithoutAt<CallFeedMessage>, at = Date.now()): void {
    const text = JSON.stringify({ at, ...message });
    this.#queue = this.#queue
      .then(() => this.#room.localParticipant?.sendText(text, { topic: CALL_FEED_TOPIC }))
      .then(
        () => {},
        () => {},
      );
  }

  /** Resolves when everything told so far has been sent. */
  sent(): Promise<void> {
    return this.#queue;
  }
}
