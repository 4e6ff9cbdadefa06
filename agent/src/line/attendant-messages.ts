// SPDX-License-Identifier: Apache-2.0

// What the worker and the process of its attendants say to each other, as JSON over the IPC channel.

/** `wait`: keep callers company until an agent comes. `turn_away`: tell them that nobody can answer, once. */
export type AttendantPart = 'wait' | 'turn_away';

/** Callers in a room without an agent, to go to. */
export interface AttendantTask {
  readonly room: string;
  /** Identities. */
  readonly callers: readonly string[];
  readonly part: AttendantPart;
  /** Begin with the words; otherwise the callers have heard them already, from another one. */
  readonly speak: boolean;
  readonly url: string;
  readonly token: string;
}

/**
 * How it ended: an agent took over (`answered`), the callers left (`gave_up`), everything was said (`turned_away`),
 * another worker's attendant came instead (`replaced`), it was called back (`left`), or LiveKit could not be reached,
 * or the connection was lost (`failed`).
 */
export type AttendantOutcome =
  | 'answered'
  | 'gave_up'
  | 'turned_away'
  | 'replaced'
  | 'left'
  | 'failed';

export type AttendantRequest =
  | { readonly type: 'attend'; readonly task: AttendantTask }
  | { readonly type: 'leave'; readonly room: string };

export type AttendantReport =
  /** The words have begun, `ms` after the task was given. */
  | { readonly type: 'speaking'; readonly room: string; readonly ms: number }
  | { readonly type: 'ended'; readonly room: string; readonly outcome: AttendantOutcome };
