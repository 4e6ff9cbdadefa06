// SPDX-License-Identifier: Apache-2.0
import type { ResponseRecord } from './effects.js';

/**
 * The question that waits for its answer, if there is one: speech, words or the result of a tool; and the tools that
 * run meanwhile. Knows since when the model owes the answer, which the watchdog, the metrics and a renewal ask. Pure.
 */
export class OpenQuestion {
  readonly #patienceMs: number;
  /** Since when the model owes an answer. */
  #since?: number;
  /** It surely got the question. */
  #sure = false;
  #speechEndedAt?: number;
  #toolWaitMs = 0;
  readonly #tools = new Map<string, { name: string; since: number }>();

  /** @param patienceMs a question without an answer stops counting as open after this */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** The model owes an answer. */
  open(now: number): boolean {
    return this.#since !== undefined && now - this.#since < this.#patienceMs;
  }

  /** Since when the model owes an answer to something that it surely got. */
  get owedSince(): number | undefined {
    return this.#sure ? this.#since : undefined;
  }

  /** Tools that the model asked for and that have not answered. */
  get pendingTools(): ReadonlyMap<string, { name: string; since: number }> {
    return this.#tools;
  }

  /** The model surely got a question. */
  asked(now: number): void {
    this.#since = now;
    this.#sure = true;
  }

  /** A question of ours, not of the caller's voice. */
  askedInWords(now: number): void {
    this.#speechEndedAt = undefined;
    this.asked(now);
  }

  /** When our own ears last heard the voice, where the service does not tell when speech ended. */
  spokenUntil(at: number | undefined): void {
    this.#speechEndedAt ??= at;
  }

  /** Speech ended at a moment; `sure`: it is no noise that was heard in vain before. */
  spoken(endedAt: number, now: number, sure: boolean): void {
    this.#speechEndedAt = endedAt;
    if (this.#since !== undefined) return;
    this.#since = now;
    this.#sure = sure;
  }

  /** The speech goes to another stream, which may make nothing of it; `over`: the caller has finished. */
  carriedOver(now: number, over: boolean): void {
    if (over) this.#since = now;
    this.#sure = false;
  }

  toolCalled(callId: string, name: string, now: number): void {
    this.#tools.set(callId, { name, since: now });
  }

  /** False when nobody waits for the tool's answer. */
  toolAnswered(callId: string, now: number): boolean {
    const call = this.#tools.get(callId);
    if (!call) return false;
    this.#tools.delete(callId);
    this.#toolWaitMs += now - call.since;
    this.asked(now);
    return true;
  }

  /** A reply begins: what it answers. */
  answered(now: number): Pick<ResponseRecord, 'requestedAt' | 'userSpeechEndedAt' | 'toolWaitMs'> {
    const requestedAt = this.#since ?? now;
    this.#since = undefined;
    this.#sure = false;
    return {
      requestedAt,
      userSpeechEndedAt: this.#speechEndedAt,
      toolWaitMs: this.#toolWaitMs,
    };
  }

  /** The reply that the caller waited for is over: the times of the next one are its own. */
  settled(): void {
    this.#speechEndedAt = undefined;
    this.#toolWaitMs = 0;
  }

  /** Forgets a question that stays without an answer. */
  tick(now: number): void {
    if (this.#since === undefined || now - this.#since <= this.#patienceMs) return;
    this.#since = undefined;
    this.#sure = false;
  }
}
