// SPDX-License-Identifier: Apache-2.0

import { RoomAgentDispatch, RoomConfiguration } from '@livekit/protocol';
import {
  type AudioSource,
  LocalAudioTrack,
  type LocalTrackPublication,
  ParticipantKind,
  type Room,
  RoomEvent,
} from '@livekit/rtc-node';
import { AccessToken } from 'livekit-server-sdk';
import { CALL_EVENTS_TICK_MS, CallEventReceiver } from '../call/call-event-receiver.js';
import {
  CALL_EVENTS_REPLAY_TOPIC,
  CALL_EVENTS_TOPIC,
  type CallEvent,
} from '../call/call-events.js';
import { voicePublishOptions } from '../call/voice-publish-options.js';

/** Address and API key of a LiveKit server. */
export interface LiveKitAddress {
  url: string;
  apiKey: string;
  apiSecret: string;
}

/** How LiveKit's SIP service joins somebody who calls by telephone. */
export interface SipParticipant {
  identity: string;
  name: string;
  /** `sip.callStatus`, `sip.phoneNumber` and more. */
  attributes: Record<string, string>;
}

export interface JoinOptions {
  /** Name of the room; the token is valid for this room only. */
  name: string;
  identity: string;
  /** Join as this SIP participant instead. */
  sip?: SipParticipant | undefined;
  /** The agent that a new room gets; '' or absent for none, which suits an agent without a name. */
  agentName?: string;
  /** Called with each event that the agent publishes about the call, in order. */
  onCallEvent: (event: CallEvent) => void;
}

/** Joins a room as a caller and listens to the events that the agent publishes. */
export async function joinRoom(
  room: Room,
  { url, apiKey, apiSecret }: LiveKitAddress,
  { name, identity, sip, agentName, onCallEvent }: JoinOptions,
): Promise<void> {
  const token = new AccessToken(apiKey, apiSecret, { identity, ttl: '1h', ...sip });
  if (sip) token.kind = 'sip';
  token.addGrant({
    room: name,
    roomJoin: true,
    canPublish: true,
    canSubscribe: true,
    // The SIP service tells in its attributes what becomes of the call.
    ...(sip && { canUpdateOwnMetadata: true }),
  });
  if (agentName) {
    token.roomConfig = new RoomConfiguration({ agents: [new RoomAgentDispatch({ agentName })] });
  }
  receiveCallEvents(room, onCallEvent);
  await room.connect(url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
}

/** Receives the events that each agent in the room publishes, in their order; call it before connecting. */
export function receiveCallEvents(room: Room, onCallEvent: (event: CallEvent) => void): void {
  const receivers = new Map<string, CallEventReceiver>();
  const receiverOf = (identity: string) => {
    const known = receivers.get(identity);
    if (known) return known;
    const receiver = new CallEventReceiver(onCallEvent, (seq) => {
      const options = { topic: CALL_EVENTS_REPLAY_TOPIC, destinationIdentities: [identity] };
      room.localParticipant?.sendText(String(seq), options).catch(() => {});
    });
    receivers.set(identity, receiver);
    return receiver;
  };
  room.registerTextStreamHandler(CALL_EVENTS_TOPIC, async (reader, { identity }) => {
    // A stream that is still arriving when the caller hangs up is never complete.
    receiverOf(identity).receive(await reader.readAll().catch(() => ''));
  });
  const timer = setInterval(() => {
    for (const [identity, receiver] of receivers)
      if (room.remoteParticipants.has(identity)) receiver.tick();
  }, CALL_EVENTS_TICK_MS).unref();
  room
    .on(RoomEvent.Reconnected, () => {
      for (const receiver of receivers.values()) receiver.catchUp();
    })
    .on(RoomEvent.ParticipantDisconnected, ({ identity }) => receivers.get(identity)?.end())
    .on(RoomEvent.Disconnected, () => {
      clearInterval(timer);
      for (const receiver of receivers.values()) receiver.end();
    });
}

/** Publishes an audio source as the caller's microphone. */
export async function publishMicrophone(
  room: Room,
  source: AudioSource,
): Promise<LocalTrackPublication | undefined> {
  const { localParticipant } = room;
  const isPhone = localParticipant?.info.kind === ParticipantKind.SIP;
  // The SIP service names its track so (livekit/sip, pkg/sip/room.go).
  const name = isPhone ? localParticipant.identity : 'microphone';
  const track = LocalAudioTrack.createAudioTrack(name, source);
  return localParticipant?.publishTrack(track, voicePublishOptions());
}
