// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from '../../../agent/src/call/call-events.js';
import { type Clock, toPage } from './clock-offset.js';

type TurnMessage = Extract<CallEvent, { type: 'turn' }>;

export interface Replies {
  turns: readonly TurnMessage[];
  /** When the user interrupted, by the page's clock. */
  bargeIns: readonly number[];
  /** When the agent was heard in this page. */
  sounds: readonly { from: number; to?: number }[];
}

/** The agent told of a reply; it may tell more of the same one later. */
export function replied(replies: Replies, turn: TurnMessage): Replies {
  const index = replies.turns.findIndex(({ responseId }) => responseId === turn.responseId);
  const turns = index < 0 ? [...replies.turns, turn] : replies.turns.with(index, turn);
  return { ...replies, turns };
}

export function bargedIn(replies: Replies, at: number, responseId?: string): Replies {
  // A reply is generated long before it is spoken: at its own telling nobody had interrupted it yet.
  const turns = replies.turns.map((turn) =>
    responseId !== undefined && turn.responseId === responseId
      ? { ...turn, interrupted: true }
      : turn,
  );
  return { ...replies, turns, bargeIns: [...replies.bargeIns, at] };
}

export function heard(replies: Replies, audible: boolean, at: number): Replies {
  const last = replies.sounds.at(-1);
  const open = last !== undefined && last.to === undefined;
  if (audible === open) return replies;
  const sounds = audible
    ? [...replies.sounds, { from: at }]
    : replies.sounds.with(-1, { ...last, from: last?.from ?? at, to: at });
  return { ...replies, sounds };
}

/** The parts of one reply's latency in ms; a part that cannot be known is absent. */
export interface Figures {
  id: string;
  /** From the end of speech, as the agent heard it, to the model's first sound, without the tools' time. */
  model?: number;
  /** How long tools took meanwhile. */
  tools: number;
  /** From there until the agent gave it to LiveKit. */
  agent?: number;
  /** From there until it was heard in this page. */
  way?: number;
  total?: number;
  interrupted: boolean;
}

/** A sound that was heard this much before it was sent belongs to something else. */
const EARLY_MS = 40;
/** No way through the network takes this long. */
const LATE_MS = 3_000;

export function figures({ turns, sounds }: Replies, clock: Clock): Figures[] {
  return turns
    .filter((turn) => turn.firstAudioAt !== undefined)
    .map((turn) => {
      const { responseId: id, interrupted } = turn;
      const { userSpeechEndedAt: ended, firstAudioReceivedAt: received, firstAudioAt: sent } = turn;
      const tools = turn.toolWaitMs ?? 0;
      const whole = difference(ended, received);
      const model = whole === undefined ? undefined : Math.max(0, whole - tools);
      const agent = difference(received, sent);
      const sentAt = sent === undefined ? undefined : toPage(clock, sent);
      const heard =
        sentAt === undefined
          ? undefined
          : sounds.find(({ from }) => from >= sentAt - EARLY_MS && from - sentAt < LATE_MS)?.from;
      const way = heard === undefined ? undefined : Math.max(0, heard - (sentAt ?? heard));
      const total = whole === undefined ? undefined : whole + (agent ?? 0) + (way ?? 0);
      return {
        id,
        interrupted,
        tools,
        ...(model !== undefined && { model }),
        ...(agent !== undefined && { agent }),
        ...(way !== undefined && { way }),
        ...(total !== undefined && { total }),
      };
    });
}

/** For each barge-in, how long the agent was still heard in this page, ms; undefined while it still is. */
export function silences({ bargeIns, sounds }: Replies): (number | undefined)[] {
  return bargeIns.map((at) => {
    const sound = sounds.find(({ from, to }) => from <= at && (to === undefined || to >= at));
    // It was already silent.
    if (!sound) return 0;
    return sound.to === undefined ? undefined : sound.to - at;
  });
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}
