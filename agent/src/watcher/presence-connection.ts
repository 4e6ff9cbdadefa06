// SPDX-License-Identifier: Apache-2.0

import {
  DisconnectReason,
  LeaveRequest,
  RoomAgentDispatch,
  RoomConfiguration,
  SignalRequest,
  SignalResponse,
  UpdateParticipantMetadata,
} from '@livekit/protocol';
import { AccessToken } from 'livekit-server-sdk';
import WebSocket from 'ws';
import type { WorkerConfig } from '../config.js';

const PING_MS = 5_000;
const CONNECT_TIMEOUT_MS = 5_000;
const TOKEN_TTL = '10m';
const NOBODY = 'nobody';
/** Version of LiveKit's signal protocol: of the messages below any version knows all. */
const PROTOCOL = 15;

export interface PresenceEvents {
  /** LiveKit lists this participant from now on. */
  onJoined(): void;
  /** The metadata of the room, at first and when it changes. */
  onRoomMetadata(metadata: string): void;
  /** It does not any more, or never did. Called once, not after `leave`. */
  onClosed(): void;
}

/** One connection of WorkerPresence. */
export interface PresenceConnection {
  /** What LiveKit returns to whoever lists the participants. */
  tell(metadata: string): void;
  leave(): void;
}

/** @param room the room that the workers of the service are in */
export type ConnectPresence = (
  room: string,
  participant: { identity: string; metadata: string },
  events: PresenceEvents,
) => PresenceConnection;

/**
 * Makes a participant of nothing but a signal connection: no WebRTC, so LiveKit drops it in the moment in which its
 * connection is closed, as the kernel does when its process is killed. It would wait 20 s for one that has WebRTC
 * (livekit-server 1.13.5, HandleSignalSourceClose). It is hidden, and may do nothing but tell of its worker.
 */
export function connectPresence(livekit: WorkerConfig['livekit']): ConnectPresence {
  return (room, participant, events) => {
    let socket: WebSocket | undefined;
    let over = false;
    let ping: NodeJS.Timeout | undefined;
    const send = (request: SignalRequest['message']) => {
      if (socket?.readyState === WebSocket.OPEN)
        socket.send(new SignalRequest({ message: request }).toBinary());
    };
    const end = () => {
      if (over) return;
      over = true;
      clearInterval(ping);
      socket?.terminate();
      events.onClosed();
    };
    const open = (token: string) => {
      if (over) return;
      socket = new WebSocket(signalUrl(livekit.url), {
        headers: { authorization: `Bearer ${token}` },
        handshakeTimeout: CONNECT_TIMEOUT_MS,
      });
      socket.on('message', (data) => {
        const { message } = SignalResponse.fromBinary(data);
        if (over) return;
        if (message.case === 'join' || message.case === 'roomUpdate')
          events.onRoomMetadata(message.value.room?.metadata ?? '');
        if (message.case === 'join') events.onJoined();
        if (message.case === 'leave') end();
      });
      socket.on('error', end);
      socket.on('close', end);
      ping = setInterval(() => send({ case: 'ping', value: BigInt(Date.now()) }), PING_MS).unref();
    };
    presenceToken(livekit, room, participant).then(open, end);
    return {
      tell: (metadata) =>
        send({ case: 'updateMetadata', value: new UpdateParticipantMetadata({ metadata }) }),
      leave() {
        if (over) return;
        over = true;
        clearInterval(ping);
        const reason = DisconnectReason.CLIENT_INITIATED;
        send({ case: 'leave', value: new LeaveRequest({ reason }) });
        socket?.close();
      },
    };
  };
}

function signalUrl(livekitUrl: string): string {
  const url = new URL(livekitUrl.replace(/^http/, 'ws'));
  url.pathname = `${url.pathname.replace(/\/$/, '')}/rtc`;
  url.search = new URLSearchParams({ protocol: String(PROTOCOL), auto_subscribe: '0' }).toString();
  return url.href;
}

function presenceToken(
  { apiKey, apiSecret }: WorkerConfig['livekit'],
  room: string,
  { identity, metadata }: { identity: string; metadata: string },
): Promise<string> {
  const token = new AccessToken(apiKey, apiSecret, { identity, metadata, ttl: TOKEN_TTL });
  token.addGrant({
    ...{ room, roomJoin: true, hidden: true, canUpdateOwnMetadata: true },
    ...{ canPublish: false, canPublishData: false, canSubscribe: false },
  });
  // Without a name LiveKit would send the agents of automatic dispatch.
  token.roomConfig = new RoomConfiguration({
    agents: [new RoomAgentDispatch({ agentName: NOBODY })],
  });
  return token.toJwt();
}
