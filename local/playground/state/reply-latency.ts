// SPDX-License-Identifier: Apache-2.0

// How long replies took and where the time went: the agent's part comes from its `turn` events, the network's part
// from when the page heard the agent.

import type { CallEvent } from '../../../agent/src/call/call-events.js';
import { type ClockOffset, toPageTime } from './clock-offset.js';

type TurnEvent = Extract<CallEvent, { type: 'turn' }>;

export interface ReplyHistory {
  turns: readonly TurnEvent[];
  /** When the user interrupted, by the page's clock. */
  bargeIns: readonly number[];
  /** When the agent was audible in this page; without `to` it still is. */
  sounds: readonly { from: number; to?: number }[];
}

/** Adds a turn. The agent may publish a turn again with more data; the later event replaces the earlier. */
export function addTurn(history: ReplyHistory, turn: TurnEvent): ReplyHistory {
  const index = history.turns.findIndex(({ responseId }) => responseId === turn.responseId);
  const turns = index < 0 ? [...history.turns, turn] : history.turns.with(index, turn);
  return { ...history, turns };
}

export function addBargeIn(history: ReplyHistory, at: number, responseId?: string): ReplyHistory {
  // A turn is published when the reply has been generated, often long before it is interrupted during playback.
  const turns = history.turns.map((turn) =>
    responseId !== undefined && turn.responseId === responseId
      ? { ...turn, interrupted: true }
      : turn,
  );
  return { ...history, turns, bargeIns: [...history.bargeIns, at] };
}

export function setAgentAudible(history: ReplyHistory, audible: boolean, at: number): ReplyHistory {
  const last = history.sounds.at(-1);
  const open = last !== undefined && last.to === undefined;
  if (audible === open) return history;
  const sounds = audible
    ? [...history.sounds, { from: at }]
    : history.sounds.with(-1, { ...last, from: last?.from ?? at, to: at });
  return { ...history, sounds };
}

/** The parts of one reply's latency in ms; a part that is unknown is absent. */
export interface ReplyLatency {
  id: string;
  /** From the end of speech, as the agent received it, to the model's first audio, without the time of tools. */
  model?: number;
  /** How long tools took in between. */
  tools: number;
  /** From the model's first audio until the agent handed it to LiveKit. */
  agent?: number;
  /** From there until it was audible in this page. */
  network?: number;
  total?: number;
  interrupted: boolean;
}

/** A sound that started this long before a reply was sent belongs to something else. */
const MAX_EARLY_MS = 40;
/** A sound that starts later than this after a reply was sent belongs to something else. */
const MAX_NETWORK_MS = 3_000;

export function replyLatencies(
  { turns, sounds }: ReplyHistory,
  offset: ClockOffset,
): ReplyLatency[] {
  return turns
    .filter((turn) => turn.firstAudioAt !== undefined)
    .map((turn) => {
      const { responseId: id, interrupted } = turn;
      const { userSpeechEndedAt: ended, firstAudioReceivedAt: received, firstAudioAt: sent } = turn;
      const tools = turn.toolWaitMs ?? 0;
      const modelAndTools = difference(ended, received);
      const model = modelAndTools === undefined ? undefined : Math.max(0, modelAndTools - tools);
      const agent = difference(received, sent);
      const sentAt = sent === undefined ? undefined : toPageTime(offset, sent);
      const audibleAt =
        sentAt === undefined
          ? undefined
          : sounds.find(
              ({ from }) => from >= sentAt - MAX_EARLY_MS && from - sentAt < MAX_NETWORK_MS,
            )?.from;
      const network =
        audibleAt === undefined ? undefined : Math.max(0, audibleAt - (sentAt ?? audibleAt));
      const total =
        modelAndTools === undefined ? undefined : modelAndTools + (agent ?? 0) + (network ?? 0);
      return {
        id,
        interrupted,
        tools,
        ...(model !== undefined && { model }),
        ...(agent !== undefined && { agent }),
        ...(network !== undefined && { network }),
        ...(total !== undefined && { total }),
      };
    });
}

/** For each barge-in, how long the agent stayed audible in this page, in ms; undefined while it still is. */
export function bargeInSilences({ bargeIns, sounds }: ReplyHistory): (number | undefined)[] {
  return bargeIns.map((at) => {
    const sound = sounds.find(({ from, to }) => from <= at && (to === undefined || to >= at));
    // The agent was silent already.
    if (!sound) return 0;
    return sound.to === undefined ? undefined : sound.to - at;
  });
}

function difference(from: number | undefined, to: number | undefined): number | undefined {
  return from === undefined || to === undefined ? undefined : to - from;
}
