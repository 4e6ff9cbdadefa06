// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events';
// biome-ignore lint/correctness/noUndeclaredDependencies: a part of rtc-node, for the button that it has no method for
import { FfiRequest, livekitFfiRequest } from '@livekit/rtc-ffi-bindings';
import {
  AudioFrame,
  AudioSource,
  AudioStream,
  LocalAudioTrack,
  ParticipantKind,
  type RemoteParticipant,
  Room,
  RoomEvent,
  TrackKind,
  TrackPublishOptions,
  TrackSource,
} from '@livekit/rtc-node';
import {
  AccessToken,
  DataPacket_Kind,
  RoomServiceClient,
  type VideoGrant,
} from 'livekit-server-sdk';
import { AGENT_STATE_ATTRIBUTE, type CallEvent } from '../../agent/src/call/call-events.js';
import { receiveCallEvents } from '../../agent/src/caller/join-room.js';
import { stopNativeLogs } from '../../agent/src/host/native-logs.js';
import type { LiveKitConnection } from '../../local/livekit/connection.js';

stopNativeLogs();

const RATE = 48_000;
const FRAME_SAMPLES = RATE / 50;
/** Above the noise of the codec. */
const AUDIBLE = 500;

export interface PersonOptions {
  kind?: 'standard' | 'sip' | 'egress' | 'ingress' | 'agent';
  attributes?: Record<string, string>;
  grants?: Partial<VideoGrant>;
}

export interface PublishOptions {
  source?: TrackSource;
  muted?: boolean;
  /** What is played until something is said; default: silence. */
  background?: Int16Array;
}

/** Somebody, or something, in a LiveKit room, who sees and hears what the agent does there. */
export class RoomPerson {
  readonly room = new Room();
  readonly events: CallEvent[] = [];
  /** When the agent became audible, in ms since the epoch. */
  readonly agentSounds: number[] = [];
  agentLeftAt = 0;
  /** The agent has a track, which may be silent. */
  hasAgentTrack = false;
  readonly #livekit: LiveKitConnection;
  readonly #admin: RoomServiceClient;
  #tracks: PlayedTrack[] = [];

  private constructor(
    livekit: LiveKitConnection,
    readonly identity: string,
    readonly name: string,
  ) {
    this.#livekit = livekit;
    this.#admin = new RoomServiceClient(
      livekit.url.replace(/^ws/, 'http'),
      livekit.apiKey,
      livekit.apiSecret,
    );
  }

  static async join(
    livekit: LiveKitConnection,
    name: string,
    identity: string,
    options: PersonOptions = {},
  ): Promise<RoomPerson> {
    const person = new RoomPerson(livekit, identity, name);
    await person.#join(options);
    return person;
  }

  async #join({ kind, attributes, grants }: PersonOptions): Promise<void> {
    const { url, apiKey, apiSecret } = this.#livekit;
    const token = new AccessToken(apiKey, apiSecret, {
      identity: this.identity,
      ...(attributes && { attributes }),
    });
    if (kind) token.kind = kind;
    token.addGrant({ room: this.name, roomJoin: true, ...grants });
    receiveCallEvents(this.room, (event) => {
      this.events.push(event);
      this.room.emit(RoomEvent.RoomUpdated);
    });
    this.room
      .on(RoomEvent.TrackSubscribed, (track, _publication, participant) => {
        if (track.kind !== TrackKind.KIND_AUDIO || !isOurAgent(participant)) return;
        this.hasAgentTrack = true;
        this.room.emit(RoomEvent.RoomUpdated);
        void this.#listen(new AudioStream(track, { sampleRate: RATE, numChannels: 1 }));
      })
      .on(RoomEvent.ParticipantAttributesChanged, () => this.room.emit(RoomEvent.RoomUpdated))
      .on(RoomEvent.ParticipantDisconnected, (participant) => {
        if (!isOurAgent(participant)) return;
        this.agentLeftAt = Date.now();
        this.room.emit(RoomEvent.RoomUpdated);
      });
    await this.room.connect(url, await token.toJwt(), { autoSubscribe: true, dynacast: false });
  }

  async #listen(frames: AudioStream): Promise<void> {
    let quiet = Number.POSITIVE_INFINITY;
    for await (const { data } of frames) {
      if (!data.some((sample) => Math.abs(sample) > AUDIBLE)) quiet += 1;
      else {
        if (quiet > 50) {
          this.agentSounds.push(Date.now());
          this.room.emit(RoomEvent.RoomUpdated);
        }
        quiet = 0;
      }
    }
  }

  /** Publishes a track, which plays its background all the time. */
  async publish({ source, muted, background }: PublishOptions = {}): Promise<PlayedTrack> {
    const audio = new AudioSource(RATE, 1);
    const track = LocalAudioTrack.createAudioTrack('audio', audio);
    await this.room.localParticipant?.publishTrack(
      track,
      new TrackPublishOptions({ source: source ?? TrackSource.SOURCE_MICROPHONE }),
    );
    const playback = new PlayedTrack(audio, track, background);
    if (muted) playback.mute(true);
    this.#tracks.push(playback);
    return playback;
  }

  /** Resolves when it holds. @throws Error when it does not within the time */
  async until(what: string, holds: () => boolean, ms = 60_000): Promise<void> {
    const signal = AbortSignal.timeout(ms);
    while (!holds())
      await once(this.room, RoomEvent.RoomUpdated, { signal }).catch(() => {
        throw new Error(`${this.name}: not within ${ms} ms: ${what}`);
      });
  }

  /** The agent hears what is said on a track: the next answer comes. */
  async isHeard(speech: Int16Array): Promise<void> {
    await this.until('the agent listens', () => this.agentListens);
    const before = this.questions;
    const heard = this.until('the agent hears the caller', () => this.questions > before);
    const say = () => this.#tracks.at(-1)?.say(speech);
    // What is said in the first moment may not be heard, as on any telephone.
    const again = setInterval(say, 10_000);
    say();
    await heard.finally(() => clearInterval(again));
  }

  get agentListens(): boolean {
    const agent = [...this.room.remoteParticipants.values()].find(isOurAgent);
    return agent?.attributes[AGENT_STATE_ATTRIBUTE] === 'listening';
  }

  /** How many questions of the caller the agent has heard. */
  get questions(): number {
    return this.events.filter((event) => event.type === 'message' && event.role === 'user').length;
  }

  /** Whether a message of the caller holds this. */
  said(text: string): boolean {
    return this.events.some(
      (event) => event.type === 'message' && event.role === 'user' && event.text.includes(text),
    );
  }

  get endReason(): string | undefined {
    const ended = this.events.find((event) => event.type === 'ended');
    return ended?.type === 'ended' ? ended.reason : undefined;
  }

  async setAttributes(attributes: Record<string, string>): Promise<void> {
    await this.#admin.updateParticipant(this.name, this.identity, { attributes });
  }

  /** A data message of the server to everybody in the room. */
  async sendData(topic: string, text: string): Promise<void> {
    const kind = DataPacket_Kind.RELIABLE;
    await this.#admin.sendData(this.name, Buffer.from(text), kind, { topic });
  }

  /** The server removes this person, as if the connection were lost. */
  async lose(): Promise<void> {
    await this.#admin.removeParticipant(this.name, this.identity);
    await this.leave();
  }

  async leave(): Promise<void> {
    await Promise.all(this.#tracks.splice(0).map((track) => track.stop()));
    await this.room.disconnect();
  }
}

const isOurAgent = ({ kind, attributes }: RemoteParticipant) =>
  kind === ParticipantKind.AGENT && AGENT_STATE_ATTRIBUTE in attributes;

/** What a track plays: its background, or what is said. */
export class PlayedTrack {
  #speech: Int16Array = new Int16Array();
  #on = true;
  readonly #playing: Promise<void>;

  constructor(
    readonly source: AudioSource,
    readonly track: LocalAudioTrack,
    background: Int16Array = new Int16Array(),
  ) {
    this.#playing = this.#play(background);
  }

  /** As the button of a page does; rtc-node has no method for it (0.13.35). */
  mute(mute: boolean): void {
    const value = { trackHandle: this.track.ffi_handle.handle, mute };
    livekitFfiRequest(new FfiRequest({ message: { case: 'localTrackMute', value } }).toBinary());
  }

  say(speech: Int16Array): void {
    this.#speech = speech;
  }

  async stop(): Promise<void> {
    this.#on = false;
    await this.#playing;
    await this.track.close();
  }

  /** The source takes a frame when there is room for it, which is the clock. */
  async #play(background: Int16Array): Promise<void> {
    let at = 0;
    while (this.#on) {
      const frame = new Int16Array(FRAME_SAMPLES);
      if (this.#speech.length > 0) {
        frame.set(this.#speech.subarray(0, FRAME_SAMPLES));
        this.#speech = this.#speech.subarray(FRAME_SAMPLES);
      } else if (background.length > 0) {
        frame.set(background.subarray(at, at + FRAME_SAMPLES));
        at = (at + FRAME_SAMPLES) % background.length;
      }
      await this.source
        .captureFrame(new AudioFrame(frame, RATE, 1, FRAME_SAMPLES))
        .catch(() => this.stop());
    }
  }
}
