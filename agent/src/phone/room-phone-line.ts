// SPDX-License-Identifier: Apache-2.0

import { log, voice } from '@livekit/agents';
import {
  DisconnectReason,
  ParticipantKind,
  type RemoteParticipant,
  type Room,
  RoomEvent,
} from '@livekit/rtc-node';
import { SipClient } from 'livekit-server-sdk';
import type { WorkerConfig } from '../config.js';
import { DIAL_FAILURE_TOPIC, readDialFailure } from './dial-failure.js';
import {
  isAnswered,
  readPhoneAttributes,
  type UnansweredReason,
  unansweredReason,
} from './phone-attributes.js';
import type { PhoneLine } from './phone-call.js';

/** The SIP service ends a call that nobody answers much sooner. */
const MAX_RINGING_MS = 180_000;
/** How long whoever dialed may take to report why a phone left that was busy or refused. */
const TOLD_MS = 2_000;

export type SipTransfers = Pick<SipClient, 'transferSipParticipant'>;

/** A phone in a room, as LiveKit's SIP service joins it. */
export class RoomPhoneLine implements PhoneLine {
  readonly #room: Room;
  readonly #identity: string;
  readonly #sip: SipTransfers;
  /** What to do when the phone was transferred. */
  readonly transferred: () => void;
  #attributes: Readonly<Record<string, string>>;
  #session: voice.AgentSession | undefined;
  #music: { player: voice.BackgroundAudioPlayer; handle: voice.PlayHandle } | undefined;
  #onHold: (on: boolean) => void = () => {};

  constructor(
    room: Room,
    { identity, attributes }: Pick<RemoteParticipant, 'identity' | 'attributes'>,
    { url, apiKey, apiSecret }: Pick<WorkerConfig['livekit'], 'url' | 'apiKey' | 'apiSecret'>,
    transferred: () => void,
    sip: SipTransfers = new SipClient(url, apiKey, apiSecret),
  ) {
    this.#room = room;
    this.#identity = identity;
    this.#attributes = attributes;
    this.#sip = sip;
    this.transferred = transferred;
  }

  /** The line of a participant that is a phone; undefined for others. */
  static of(
    participant: RemoteParticipant,
    ...[room, livekit, transferred]: [Room, WorkerConfig['livekit'], () => void]
  ): RoomPhoneLine | undefined {
    if (participant.info.kind !== ParticipantKind.SIP) return undefined;
    return new RoomPhoneLine(room, participant, livekit, transferred);
  }

  /** The session whose caller can be put on hold. @param onHold called when a hold starts or ends */
  attach(session: voice.AgentSession, onHold: (on: boolean) => void): void {
    this.#session = session;
    this.#onHold = onHold;
  }

  attributes(): Readonly<Record<string, string>> {
    this.#attributes =
      this.#room.remoteParticipants.get(this.#identity)?.attributes ?? this.#attributes;
    return this.#attributes;
  }

  transfer(to: string, options: { playDialtone: boolean; ringingTimeout: number }): Promise<void> {
    return this.#sip.transferSipParticipant(this.#room.name ?? '', this.#identity, to, options);
  }

  async sendKey(code: number, key: string): Promise<void> {
    const { localParticipant } = this.#room;
    if (!localParticipant) throw new Error('The room is not connected.');
    await localParticipant.publishDtmf(code, key);
  }

  async hold(on: boolean): Promise<void> {
    this.#onHold(on);
    this.#session?.input.setAudioEnabled(!on);
    if (!on) {
      const music = this.#music;
      this.#music = undefined;
      music?.handle.stop();
      await music?.player.close();
      return;
    }
    try {
      const player = new voice.BackgroundAudioPlayer();
      await player.start({ room: this.#room });
      const source = { source: voice.BuiltinAudioClip.HOLD_MUSIC, volume: 0.8 };
      this.#music = { player, handle: player.play(source, true) };
    } catch (error) {
      // Silence is a hold, too.
      log().warn({ error }, 'no music on hold');
    }
  }

  /** Resolves when somebody answers the phone, or with why nobody will. */
  answered(): Promise<'answered' | UnansweredReason> {
    return new Promise((resolve) => {
      /** Why it left, when somebody may know better. */
      let leftWith: UnansweredReason | undefined;
      const settle = (outcome: 'answered' | UnansweredReason) => {
        clearTimeout(timer);
        this.#room.off(RoomEvent.ParticipantAttributesChanged, changed);
        this.#room.off(RoomEvent.ParticipantDisconnected, left);
        this.#room.off(RoomEvent.DataReceived, received);
        this.#room.off(RoomEvent.Disconnected, closed);
        resolve(outcome);
      };
      const settleWithin = (ms: number, outcome: UnansweredReason) => {
        clearTimeout(timer);
        timer = setTimeout(() => settle(outcome), ms).unref();
      };
      const changed = () => {
        const phone = readPhoneAttributes(this.attributes());
        // A call that was cancelled is over, though the phone has not left yet.
        if (phone.status !== 'hangup' && isAnswered(phone)) settle('answered');
      };
      const left = ({ identity, disconnectReason }: RemoteParticipant) => {
        if (identity !== this.#identity) return;
        const reason = unansweredReason(DisconnectReason[disconnectReason ?? 0]);
        if (reason !== 'busy_or_refused') settle(reason);
        else {
          leftWith = reason;
          settleWithin(TOLD_MS, reason);
        }
      };
      const received = (
        data: Uint8Array,
        participant?: RemoteParticipant,
        _kind?: unknown,
        topic?: string,
      ) => {
        if (topic !== DIAL_FAILURE_TOPIC || participant) return;
        // A phone that is busy at once may have left without an event (LiveKit server 1.13.5, rtc-node 0.13.35).
        const told = readDialFailure(data);
        if (told) settle(told);
      };
      const closed = () => settle(leftWith ?? 'dial_cancelled');
      let timer: NodeJS.Timeout | undefined;
      settleWithin(MAX_RINGING_MS, 'no_answer');
      this.#room.on(RoomEvent.ParticipantAttributesChanged, changed);
      this.#room.on(RoomEvent.ParticipantDisconnected, left);
      this.#room.on(RoomEvent.DataReceived, received);
      this.#room.on(RoomEvent.Disconnected, closed);
      changed();
    });
  }
}
