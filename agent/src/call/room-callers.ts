// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import {
  DisconnectReason,
  ParticipantKind,
  type RemoteParticipant,
  type Room,
  RoomEvent,
  TrackKind,
  TrackSource,
} from '@livekit/rtc-node';
import {
  CallerChoice,
  type CallerKind,
  type CallerRules,
  type ChosenCallers,
  type RoomParticipant,
} from './caller-choice.js';

/** Events after which somebody else may be the caller. */
const EVENTS = [
  RoomEvent.ParticipantConnected,
  RoomEvent.TrackPublished,
  RoomEvent.TrackUnpublished,
  RoomEvent.ParticipantAttributesChanged,
  RoomEvent.ParticipantMetadataChanged,
  RoomEvent.Connected,
  RoomEvent.Reconnected,
] as const;

/** With these a participant has left for good. */
const LEFT_ON_PURPOSE = new Set([DisconnectReason.CLIENT_INITIATED, DisconnectReason.ROOM_DELETED]);

/** The callers among the participants of a room, from before it is connected until its end. */
export class RoomCallers {
  readonly #room: Room;
  readonly #choice: CallerChoice;
  readonly #listeners: ((chosen: ChosenCallers) => void)[] = [];
  #chosen: ChosenCallers = { identities: [] };
  #timer: NodeJS.Timeout | undefined;

  constructor(room: Room, rules: CallerRules) {
    this.#room = room;
    this.#choice = new CallerChoice(rules);
    for (const event of EVENTS) room.on(event, this.#update);
    room.on(RoomEvent.ParticipantDisconnected, this.#left);
    room.on(RoomEvent.Disconnected, this.#close);
  }

  /** Identities of whom the agent hears; the first is the caller. Empty while there is no caller. */
  get identities(): readonly string[] {
    return this.#chosen.identities;
  }

  /** The caller; undefined while there is none. */
  get caller(): RemoteParticipant | undefined {
    const [identity] = this.#chosen.identities;
    return identity === undefined ? undefined : this.#room.remoteParticipants.get(identity);
  }

  /**
   * Waits for the first caller.
   * @param identity of the caller, when it is known from before
   * @throws Error when the room is disconnected before
   */
  first(identity?: string): Promise<RemoteParticipant> {
    if (identity !== undefined) this.#choice.expect(identity);
    return new Promise((resolve, reject) => {
      const found = () => {
        const { caller } = this;
        if (caller) resolve(caller);
      };
      this.onChange(found);
      this.#room.once(RoomEvent.Disconnected, () =>
        reject(new Error('The room was disconnected before a caller was in it.')),
      );
      this.#update();
      found();
    });
  }

  /** Called whenever somebody else is the caller, the caller is back, or more or fewer people are heard. */
  onChange(listener: (chosen: ChosenCallers) => void): void {
    this.#listeners.push(listener);
  }

  readonly #left = ({ identity, disconnectReason }: RemoteParticipant): void => {
    const lost = disconnectReason === undefined || !LEFT_ON_PURPOSE.has(disconnectReason);
    this.#choice.left(identity, lost, performance.now());
    this.#update();
  };

  readonly #update = (): void => {
    clearTimeout(this.#timer);
    if (!this.#room.isConnected) return;
    const participants = [...this.#room.remoteParticipants.values()].map(describeParticipant);
    const before = this.#chosen.identities.join('\n');
    const chosen = this.#choice.update(participants, performance.now());
    this.#chosen = chosen;
    if (chosen.againInMs !== undefined)
      this.#timer = setTimeout(this.#update, chosen.againInMs).unref();
    if (!chosen.change && before === chosen.identities.join('\n')) return;
    this.#log(chosen, participants);
    for (const listener of this.#listeners) listener(chosen);
  };

  #log({ identities, change }: ChosenCallers, participants: RoomParticipant[]): void {
    const caller = participants.find(({ identity }) => identity === identities[0]);
    log().info(
      {
        change: change ?? (caller ? 'heard' : 'absent'),
        ...(caller && {
          kind: caller.kind,
          participant_sid: caller.sid,
          publishes_audio: caller.publishesAudio,
          'lk.pii.identity': caller.identity,
        }),
        heard: identities.length,
        participants: participants.length,
      },
      caller ? 'caller chosen' : 'caller gone',
    );
  }

  readonly #close = (): void => {
    clearTimeout(this.#timer);
    for (const event of EVENTS) this.#room.off(event, this.#update);
    this.#room.off(RoomEvent.ParticipantDisconnected, this.#left);
  };
}

function describeParticipant(participant: RemoteParticipant): RoomParticipant {
  const { identity, attributes, metadata, info, trackPublications } = participant;
  const { permission } = info;
  const sources = permission?.canPublishSources ?? [];
  return {
    identity,
    sid: participant.sid ?? identity,
    kind: kindOf(info.kind),
    attributes,
    metadata,
    mayPublishAudio:
      permission?.canPublish !== false &&
      (sources.length === 0 || sources.includes(TrackSource.SOURCE_MICROPHONE)),
    publishesAudio: [...trackPublications.values()].some(
      ({ kind }) => kind === TrackKind.KIND_AUDIO,
    ),
    joinedAt: Number(info.joinedAt ?? 0),
  };
}

const kindOf = (kind: ParticipantKind | undefined): CallerKind =>
  (ParticipantKind[kind ?? ParticipantKind.STANDARD]?.toLowerCase() ?? 'standard') as CallerKind;
