// SPDX-License-Identifier: Apache-2.0

import type { MonotonicClock } from '../clock.js';
import type { CallRecord } from './call-record.js';
import type { ConversationRecord } from './conversation-record.js';
import type { JobCommand, ResumeMessage } from './supervisor-messages.js';

/** Milliseconds in which another process must have taken a call up. */
const RESUME_TIMEOUT_MS = 15_000;
/** A call that has lost so many processes is ended by the one that takes it up, with words. */
const CRASHES_TO_END = 2;

/** A call as it survives its process. */
export interface SurvivingCall {
  readonly record: CallRecord;
  readonly conversation: ConversationRecord;
}

interface LostCall {
  readonly call: SurvivingCall;
  readonly since: number;
  /** What the worker wanted of it in the meantime. */
  command?: JobCommand;
}

/** The calls whose process died, until another process has taken them up. */
export class LostCalls {
  readonly #clock: MonotonicClock;
  readonly #calls = new Map<string, LostCall>();

  constructor(clock: MonotonicClock) {
    this.#clock = clock;
  }

  /** Whether a call that has just lost its process may be taken up again. */
  static mayResume({ crashes }: CallRecord): boolean {
    return crashes <= CRASHES_TO_END;
  }

  add(call: SurvivingCall): void {
    this.#calls.set(call.record.job, { call, since: this.#clock.now() });
  }

  /** Keeps a command for the process that takes the calls up. */
  command(type: JobCommand['type'], reason: string): void {
    for (const [job, lost] of this.#calls) lost.command = { type, job, reason };
  }

  /** A process has been given this job: returns the call if it is a lost one, with what to send to the process. */
  take(
    job: string,
  ):
    | { call: SurvivingCall; messages: [ResumeMessage, ...JobCommand[]]; lostMs: number }
    | undefined {
    const lost = this.#calls.get(job);
    if (!lost) return undefined;
    this.#calls.delete(job);
    const { call, command, since } = lost;
    const { record, conversation } = call;
    const { caller, crashes } = record;
    const end = crashes >= CRASHES_TO_END ? record.endReason : undefined;
    const resume: ResumeMessage = {
      type: 'resume',
      job,
      history: conversation.items,
      crashes,
      ...(caller !== undefined && { caller }),
      ...(end !== undefined && { end }),
    };
    return {
      call,
      messages: command ? [resume, command] : [resume],
      lostMs: Math.round(this.#clock.now() - since),
    };
  }

  remove(job: string): void {
    this.#calls.delete(job);
  }

  /** Gives up and returns the calls that no process has taken up in time. */
  expire(): SurvivingCall[] {
    const before = this.#clock.now() - RESUME_TIMEOUT_MS;
    const expired = [...this.#calls.values()].filter(({ since }) => since < before);
    for (const { call } of expired) this.#calls.delete(call.record.job);
    return expired.map(({ call }) => call);
  }
}
