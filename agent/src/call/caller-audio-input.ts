// SPDX-License-Identifier: Apache-2.0

import { log, voice } from '@livekit/agents';
import {
  AudioStream,
  type RemoteTrack,
  type Room,
  RoomEvent,
  TrackSource,
} from '@livekit/rtc-node';

/** Sonic's input rate in Hz: frames that arrive at it need no resampler, which would add bursts of 33 ms. */
const SAMPLE_RATE = 16_000;
/** Also the length of the chunks sent to Sonic (32 ms in real captures): each frame costs CPU at every step. */
export const FRAME_MS = 30;

/**
 * The caller's microphone as input of an `AgentSession`: `session.input.audio = new CallerAudio(room, identity)`, before
 * it is started with `inputOptions: { audioEnabled: false }`. 16 kHz, mono, frames of 30 ms.
 *
 * The framework's own input has frames of 10 ms, without a setting (agents 1.9.0, `room_io/_input.ts`): a call took
 * 0.21 of a core instead of 0.14 (Linux on x86).
 */
export class CallerAudioInput extends voice.AudioInput {
  readonly #room: Room;
  readonly #identity: string;
  #attached = false;
  #source: { track: RemoteTrack; frames: AudioStream; input: string } | undefined;

  /** @param identity identity of the caller; audio of other participants is ignored */
  constructor(room: Room, identity: string) {
    super();
    this.#room = room;
    this.#identity = identity;
    room.on(RoomEvent.TrackSubscribed, this.#updateSource);
    room.on(RoomEvent.TrackUnsubscribed, this.#updateSource);
  }

  override setAttached(attached: boolean): void {
    this.#attached = attached;
    this.#updateSource();
  }

  override async close(): Promise<void> {
    this.#room.off(RoomEvent.TrackSubscribed, this.#updateSource);
    this.#room.off(RoomEvent.TrackUnsubscribed, this.#updateSource);
    this.setAttached(false);
    await super.close();
  }

  /** Switches to the caller's newest microphone, as after a reload of the caller's page. */
  readonly #updateSource = (): void => {
    const track = this.#attached ? this.#newestMicrophone() : undefined;
    if (track === this.#source?.track) return;
    this.#closeSource();
    try {
      if (track) this.#openSource(track);
    } catch (error) {
      // Thrown here it would stop the room's other listeners. The next change tries again.
      log().error({ error }, 'failed to open caller audio');
    }
  };

  #openSource(track: RemoteTrack): void {
    const frames = new AudioStream(track, {
      sampleRate: SAMPLE_RATE,
      numChannels: 1,
      frameSizeMs: FRAME_MS,
    });
    this.#source = { track, frames, input: this.multiStream.addInputStream(frames) };
  }

  #newestMicrophone(): RemoteTrack | undefined {
    const caller = this.#room.remoteParticipants.get(this.#identity);
    return [...(caller?.trackPublications.values() ?? [])].findLast(
      ({ source, track }) => track && source === TrackSource.SOURCE_MICROPHONE,
    )?.track;
  }

  #closeSource(): void {
    if (!this.#source) return;
    const { frames, input } = this.#source;
    this.#source = undefined;
    this.multiStream
      .removeInputStream(input)
      .then(() => frames.cancel())
      .catch((error) => log().warn({ error }, 'failed to close audio stream of removed track'));
  }
}
