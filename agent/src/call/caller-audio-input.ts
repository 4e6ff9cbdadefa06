// SPDX-License-Identifier: Apache-2.0

import type { ReadableStream } from 'node:stream/web';
import { log, voice } from '@livekit/agents';
import {
  type AudioFrame,
  AudioStream,
  type RemoteTrack,
  type Room,
  RoomEvent,
  TrackKind,
  TrackSource,
} from '@livekit/rtc-node';
import { type AudioTrackLabel, chooseAudioTracks } from './caller-track.js';
import { mixAudio } from './mix-audio.js';
import type { CallNoiseCancellation } from './noise-cancellation.js';

/** Sonic's input rate in Hz: frames that arrive at it need no resampler, which would add bursts of 33 ms. */
const SAMPLE_RATE = 16_000;
/** Also the length of the chunks sent to Sonic (32 ms in real captures): each frame costs CPU at every step. */
export const FRAME_MS = 30;

/** The audio of one caller. */
interface CallerTrack extends AudioTrackLabel {
  track: RemoteTrack;
}

/**
 * The caller's microphone as input of an `AgentSession`: `session.input.audio = new CallerAudioInput(room, [identity])`,
 * before it is started with `inputOptions: { audioEnabled: false }`. 16 kHz, mono, frames of 30 ms.
 *
 * The framework's own input has frames of 10 ms, without a setting (agents 1.9.0, `room_io/_input.ts`): a call took
 * 0.21 of a core instead of 0.14 (Linux on x86).
 */
export class CallerAudioInput extends voice.AudioInput {
  readonly #room: Room;
  readonly #noiseCancellation: CallNoiseCancellation | undefined;
  #callers: readonly string[];
  #attached = false;
  #source: { tracks: RemoteTrack[]; frames: ReadableStream<AudioFrame>; input: string } | undefined;

  /**
   * @param callers identities of those who are heard; their microphones are mixed
   * @param noiseCancellation for each of their tracks; closed with the input
   */
  constructor(room: Room, callers: readonly string[], noiseCancellation?: CallNoiseCancellation) {
    super();
    this.#room = room;
    this.#noiseCancellation = noiseCancellation;
    this.#callers = callers;
    room.on(RoomEvent.TrackSubscribed, this.#updateSource);
    room.on(RoomEvent.TrackUnsubscribed, this.#updateSource);
  }

  /** Listens to others from now on. */
  setCallers(callers: readonly string[]): void {
    this.#callers = callers;
    this.#updateSource();
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
    this.#noiseCancellation?.close();
  }

  readonly #updateSource = (): void => {
    const chosen = this.#attached
      ? this.#callers.flatMap((identity) => chooseAudioTracks(this.#audioOf(identity)))
      : [];
    const current = this.#source?.tracks ?? [];
    if (
      chosen.length === current.length &&
      chosen.every(({ track }, index) => track === current[index])
    )
      return;
    this.#closeSource();
    try {
      if (chosen.length > 0) this.#openSource(chosen);
    } catch (error) {
      // Thrown here it would stop the room's other listeners. The next change tries again.
      log().error({ error }, 'failed to open caller audio');
    }
  };

  #openSource(chosen: CallerTrack[]): void {
    const tracks = chosen.map(({ track }) => track);
    const streams = tracks.map((track) => this.#openStream(track));
    const [only] = streams;
    const frames = only && streams.length === 1 ? only : mixAudio(streams);
    this.#source = { tracks, frames, input: this.multiStream.addInputStream(frames) };
    log().info(
      {
        track_sids: tracks.map(({ sid }) => sid),
        sources: chosen.map(({ source }) => source),
        muted: tracks.map(({ muted }) => muted ?? false),
      },
      'caller audio chosen',
    );
  }

  /** LiveKit knows that a filter is missing, or belongs to LiveKit Cloud, only now: then the caller is heard with noise. */
  #openStream(track: RemoteTrack): ReadableStream<AudioFrame> {
    const format = { sampleRate: SAMPLE_RATE, numChannels: 1, frameSizeMs: FRAME_MS };
    const filter = this.#noiseCancellation?.forTrack() ?? {};
    try {
      return new AudioStream(track, { ...format, ...filter });
    } catch (error) {
      if (!filter.noiseCancellation) throw error;
      log().error({ error }, 'noise cancellation cannot be used, caller is heard with noise');
      return new AudioStream(track, format);
    }
  }

  /** Subscribed audio tracks. */
  #audioOf(identity: string): CallerTrack[] {
    const caller = this.#room.remoteParticipants.get(identity);
    return [...(caller?.trackPublications.values() ?? [])].flatMap(({ kind, source, track }) =>
      track && kind === TrackKind.KIND_AUDIO ? [{ track, source: sourceLabel(source) }] : [],
    );
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

function sourceLabel(source: TrackSource | undefined): AudioTrackLabel['source'] {
  if (source === TrackSource.SOURCE_MICROPHONE) return 'microphone';
  if (source === TrackSource.SOURCE_SCREENSHARE_AUDIO) return 'screenshare_audio';
  return 'unknown';
}
