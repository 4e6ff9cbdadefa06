// SPDX-License-Identifier: Apache-2.0
import type { ResponseRecord } from './effects.js';

/** Speech without a transcript for so long (which comes 1 ms after its end) may have been noise: it delays nothing (ms). */
const WORDLESS_MS = 4_000;

/**
 * The question that waits for its answer, if there is one: speech, text or the result of a tool; and the tools that run
 * meanwhile. Knows since when the model owes the answer, for the watchdog, the metrics and renewals. Pure.
 */
export class PendingResponse {
  readonly #patienceMs: number;
  /** Since when the model owes an answer. */
  #since?: number;
  /** Since when it owes an answer to something that it certainly got. */
  #certainSince?: number;
  #speechEndedAt?: number;
  #toolWaitMs = 0;
  readonly #tools = new Map<string, { name: string; since: number; turn: number }>();

  /** @param patienceMs a question without an answer stops counting as open after this */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** The model owes an answer. */
  pending(now: number): boolean {
    return this.#since !== undefined && now - this.#since < this.#patienceMs;
  }

  /** The model may be about to answer: a bad moment to replace its stream. */
  imminent(now: number): boolean {
    if (this.#since === undefined) return false;
    return this.#certainSince !== undefined ? this.pending(now) : now - this.#since < WORDLESS_MS;
  }

  /** Since when the model owes an answer to something that it certainly got, also when it got more since. */
  get pendingSince(): number | undefined {
    return this.#certainSince;
  }

  /** When the model certainly got the last question that it owes an answer to. */
  get askedAt(): number | undefined {
    return this.#certainSince === undefined ? undefined : this.#since;
  }

  /** Tools that the model called and that have no result yet. */
  get pendingTools(): ReadonlyMap<string, { name: string; since: number }> {
    return this.#tools;
  }

  /** The model certainly got a question. */
  requested(now: number): void {
    this.#since = now;
    this.#certainSince ??= now;
  }

  /** The question is a text, not speech. */
  requestedByText(now: number): void {
    this.#speechEndedAt = undefined;
    this.requested(now);
  }

  /** When the caller's voice was last heard, where the service does not report when speech ended. */
  assumeSpeechEnd(at: number | undefined): void {
    this.#speechEndedAt ??= at;
  }

  /** Speech ended at a time. It is no certain question until it is transcribed: noise may be taken for speech, too. */
  speechEnded(endedAt: number, now: number): void {
    this.#speechEndedAt = endedAt;
    this.#since ??= now;
  }

  /** The speech is replayed on another stream, which may detect nothing; `over`: the caller has finished. */
  speechReplayed(now: number, over: boolean): void {
    if (over) this.#since = now;
    this.#certainSince = undefined;
  }

  /** `turn`: calls for one question share it. */
  toolCalled(callId: string, name: string, now: number, turn = 0): void {
    this.#tools.set(callId, { name, since: now, turn });
  }

  /** A tool's result is sent. Returns the call's turn, or undefined when the call is not pending. */
  toolAnswered(callId: string, now: number): number | undefined {
    const call = this.#tools.get(callId);
    if (!call) return undefined;
    this.#tools.delete(callId);
    this.#toolWaitMs += now - call.since;
    // The model waits for the others.
    if (!this.sameTurnPending(call.turn)) this.requested(now);
    return call.turn;
  }

  /** A tool runs that was called in an earlier session; calls that came `togetherMs` apart at most share a turn. */
  toolAdopted(callId: string, name: string, since: number, togetherMs: number): void {
    const calls = [...this.#tools.values()];
    const together = calls.find((call) => Math.abs(call.since - since) <= togetherMs);
    const turn = together?.turn ?? Math.min(0, ...calls.map((call) => call.turn)) - 1;
    this.toolCalled(callId, name, since, turn);
  }

  /** The turn of a call that is pending, if it is. */
  turnOf(callId: string): number | undefined {
    return this.#tools.get(callId)?.turn;
  }

  /** Another tool of this turn has no result yet. */
  sameTurnPending(turn: number): boolean {
    return [...this.#tools.values()].some((call) => call.turn === turn);
  }

  /** A reply begins: what it answers. */
  responseStarted(
    now: number,
  ): Pick<ResponseRecord, 'requestedAt' | 'userSpeechEndedAt' | 'toolWaitMs'> {
    const requestedAt = this.#since ?? now;
    this.#since = undefined;
    this.#certainSince = undefined;
    return {
      requestedAt,
      userSpeechEndedAt: this.#speechEndedAt,
      toolWaitMs: this.#toolWaitMs,
    };
  }

  /** The reply that the caller waited for is over: the times of the next one are its own. */
  reset(): void {
    this.#speechEndedAt = undefined;
    this.#toolWaitMs = 0;
  }

  /** Gives up a question that stays without an answer. */
  tick(now: number): void {
    if (this.#since === undefined || now - this.#since <= this.#patienceMs) return;
    this.#since = undefined;
    this.#certainSince = undefined;
  }
}
