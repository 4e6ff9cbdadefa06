// SPDX-License-Identifier: Apache-2.0

import type { Counter } from '../telemetry/metric-definitions.js';
import type { ConversationItem } from './conversation-record.js';
import type { ConnectOutcome } from './lane-cooldowns.js';

/**
 * What a job process sends to the worker process: one JSON line each, as it happens. A process may carry several
 * calls; `job` is LiveKit's id of the one that a report is about.
 */
export type JobReport = ProcessReport | CallReport;

export type ProcessReport =
  /** The process is warm and waits for calls. */
  | { type: 'hello'; pid: number }
  /** The outcome of a request for a Bedrock stream. */
  | ({ type: 'connect' } & ConnectOutcome)
  /** A heartbeat, with the memory of the process, and the call that it grew most by if it carries several. */
  | { type: 'alive'; rssMB: number; largest?: { job: string; grownMB: number } };

export type CallReport =
  /** The process was given a call. */
  | { type: 'call'; job: string; room: string; roomSid: string; tenant?: string }
  /** A value to add to a metric; `split` is the value of its extra dimension. */
  | { type: 'add'; job: string; metric: CallCounter; value: number; split?: string }
  /** The Bedrock stream that the call uses now. */
  | { type: 'stream'; job: string; id: string; lane: string }
  /** Whether the call waits for a Bedrock stream because every lane is full. */
  | { type: 'waits'; job: string; waits: boolean }
  /** The identity of the caller. */
  | { type: 'caller'; job: string; identity: string }
  /** A part of the conversation, in case that the process dies; see ConversationRecord. */
  | { type: 'said'; job: string; item: ConversationItem }
  /** The call has ended; `failed` when our own code threw. Later reports come from closing. */
  | { type: 'ended'; job: string; reason: string; failed?: boolean }
  /** Everything of the call is cleaned up. A process with a single call exits instead. */
  | { type: 'closed'; job: string };

/** What the worker process sends to a job process with a call. */
export type JobCommand =
  /** Give the last reply of END_CALL_INSTRUCTIONS, then end the call. */
  | { type: 'end_gracefully'; job: string; reason: string }
  | { type: 'end_now'; job: string; reason: string };

/** The answer to `call` for a job that another process had before: what was said until it died. */
export interface ResumeMessage {
  type: 'resume';
  job: string;
  history: ConversationItem[];
  /** Processes that died under the call. */
  crashes: number;
  caller?: string;
  /** End the call with words, for this reason: it has lost too many processes. */
  end?: string;
}

/** All that the worker process sends to a job process. */
export type SupervisorMessage = JobCommand | ResumeMessage | CooldownsMessage;

/** What the worker process sends to every job process about the lanes. */
export interface CooldownsMessage {
  type: 'cooldowns';
  /** For each lane that failed when it was last asked the milliseconds left of its cooldown; 0: it is over. */
  lanes: Record<string, number>;
  /** Of the calls that wait for a lane, the one whose turn it is. */
  turn?: string | undefined;
}

/** The metrics that a call adds to. */
export type CallCounter = Exclude<
  Counter,
  | 'CallsAccepted'
  | 'CallsRejected'
  | 'CallsRedispatched'
  | 'CallDuration'
  | 'ProtectionFailures'
  | 'EstimatedCostUsd'
  | 'JobCrashes'
  | 'CallsResumed'
>;
