// SPDX-License-Identifier: Apache-2.0

/** What LiveKit's SIP service says about a call, in attributes of the participant. */
export interface PhoneAttributes {
  /** `inbound`: somebody called. `outbound`: the number was dialed. */
  direction: 'inbound' | 'outbound';
  /** The other side's number: who calls, or who was called. Undefined when it is withheld. */
  number: string | undefined;
  /** The number of the trunk: the one that was called, or the one that the call comes from. */
  trunkNumber: string | undefined;
  /** LiveKit's id of the SIP call, for its logs. */
  callId: string | undefined;
  status: PhoneStatus;
}

/**
 * `dialing`, `ringing`: nobody has answered; a caller's phone rings until LiveKit's SIP service has the agent's track
 * (livekit/sip v1.11.0, `pkg/sip/inbound.go`). `automation`: answered, and digits of an extension are being sent.
 * `active`: people can talk. `hangup`: over. '' when LiveKit does not say.
 */
export type PhoneStatus = 'dialing' | 'ringing' | 'automation' | 'active' | 'hangup' | '';

/** Statuses in which nobody hears the agent. */
const UNANSWERED: ReadonlySet<string> = new Set(['dialing', 'ringing', 'automation']);

/**
 * Reads the attributes of a SIP participant. Only inbound calls have a dispatch rule (docs.livekit.io, SIP participant;
 * livekit/sip, `pkg/sip/outbound.go`).
 */
export function readPhoneAttributes(attributes: Readonly<Record<string, string>>): PhoneAttributes {
  const status = (attributes['sip.callStatus'] ?? '') as PhoneStatus;
  const dialed = status === 'dialing' || status === 'automation';
  return {
    direction: attributes['sip.ruleID'] && !dialed ? 'inbound' : 'outbound',
    number: attributes['sip.phoneNumber'] || undefined,
    trunkNumber: attributes['sip.trunkPhoneNumber'] || undefined,
    callId: attributes['sip.callID'] || undefined,
    status,
  };
}

/** Whether somebody hears what is said. A status that is missing or unknown is no reason to be silent. */
export const isAnswered = ({ status }: Pick<PhoneAttributes, 'status'>): boolean =>
  !UNANSWERED.has(status);

/** Why an outbound call was not answered, as the reason of the call's end. */
export type UnansweredReason =
  | 'no_answer'
  | 'busy'
  | 'refused'
  | 'busy_or_refused'
  | 'phone_network_failed'
  | 'dial_cancelled';

/**
 * Why a phone left before it answered, as far as LiveKit reports to everybody in the room. Its SIP service leaves with the same
 * reason for a busy and for a refused call, and for a login that is refused (livekit/sip, `pkg/sip/types.go`); whoever
 * dialed knows the SIP status, see dial-failure.ts.
 * @param reason name of LiveKit's DisconnectReason
 */
export function unansweredReason(reason: string | undefined): UnansweredReason {
  if (reason === 'USER_REJECTED') return 'busy_or_refused';
  if (reason === 'SIP_TRUNK_FAILURE' || reason === 'MEDIA_FAILURE') return 'phone_network_failed';
  if (reason === 'CLIENT_INITIATED' || reason === 'PARTICIPANT_REMOVED') return 'dial_cancelled';
  return 'no_answer';
}
