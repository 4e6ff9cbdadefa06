// SPDX-License-Identifier: Apache-2.0

import type { UnansweredReason } from './phone-attributes.js';
import type { SipFailureReason } from './sip-failure.js';

/**
 * Topic of the message by which whoever dialed tells the agent why nobody answered: only they learn the SIP status
 * (livekit/sip, `pkg/sip/outbound.go`: it is in the answer to CreateSIPParticipant, in no attribute). Sent with LiveKit's
 * API, never by a participant.
 */
export const DIAL_FAILURE_TOPIC = 'nova-sonic.dial-failure';

const REASONS: Record<SipFailureReason, UnansweredReason> = {
  busy: 'busy',
  refused: 'refused',
  no_answer: 'no_answer',
  not_found: 'no_answer',
  silent: 'phone_network_failed',
  failed: 'phone_network_failed',
};

export const writeDialFailure = (reason: SipFailureReason): Uint8Array => Buffer.from(reason);

/** Why a call was not answered, as whoever dialed reports; undefined when that is nothing known. */
export function readDialFailure(data: Uint8Array): UnansweredReason | undefined {
  const told = Buffer.from(data).toString();
  return Object.hasOwn(REASONS, told) ? REASONS[told as SipFailureReason] : undefined;
}
