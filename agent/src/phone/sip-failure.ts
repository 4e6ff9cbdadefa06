// SPDX-License-Identifier: Apache-2.0

/** Why dialing or transferring failed. `silent`: the SIP service did not answer at all. */
export type SipFailureReason = 'busy' | 'no_answer' | 'refused' | 'not_found' | 'silent' | 'failed';

export interface SipFailure {
  reason: SipFailureReason;
  /** Of the telephone network, like 486. */
  sipStatus?: number;
  /** One sentence for a person. */
  message: string;
}

const MESSAGES: Record<SipFailureReason, string> = {
  busy: 'The line is busy.',
  no_answer: 'Nobody answered.',
  refused: 'The call was refused.',
  not_found: 'The number does not exist, or the call is over.',
  silent: 'The telephone service did not answer.',
  failed: 'The telephone network could not connect the call.',
};

const STATUSES = new Map<unknown, SipFailureReason>([
  [403, 'refused'],
  [404, 'not_found'],
  [408, 'no_answer'],
  [410, 'not_found'],
  [480, 'no_answer'],
  [484, 'not_found'],
  [486, 'busy'],
  [487, 'no_answer'],
  [600, 'busy'],
  [603, 'refused'],
  [604, 'not_found'],
  [607, 'refused'],
]);

/** Codes of LiveKit's API without a SIP status. */
const CODES = new Map<unknown, SipFailureReason>([
  ['not_found', 'not_found'],
  ['deadline_exceeded', 'no_answer'],
  ['canceled', 'no_answer'],
]);

/** Reads an error of LiveKit's `SipClient`. */
export function sipFailure(error: unknown): SipFailure {
  const { name, code, sipStatusCode } = (error ?? {}) as {
    name?: string;
    code?: string;
    sipStatusCode?: number;
  };
  const reason =
    sipStatusCode !== undefined
      ? (STATUSES.get(sipStatusCode) ?? 'failed')
      : name === 'TimeoutError' || name === 'AbortError'
        ? 'silent'
        : (CODES.get(code) ?? 'failed');
  return {
    reason,
    ...(sipStatusCode !== undefined && { sipStatus: sipStatusCode }),
    message: MESSAGES[reason],
  };
}

/** The address of a number for a transfer: a URI as it is, a number in international form as `tel:`. */
export function phoneUri(to: string): string | undefined {
  const given = to.trim();
  if (/^(sips?|tel):\S+$/i.test(given)) return given;
  const number = given.replace(/[\s().-]/g, '');
  return /^\+?\d{2,15}$/.test(number) ? `tel:${number}` : undefined;
}
