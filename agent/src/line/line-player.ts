// SPDX-License-Identifier: Apache-2.0

import { AudioFrame, AudioSource, LocalAudioTrack, type Room } from '@livekit/rtc-node';
import { voicePublishOptions } from '../call/voice-publish-options.js';
import { waitUntilAudible } from '../call/wait-until-audible.js';
import type { LineProgram } from './line-program.js';

/** Long frames: each one is an event for every room of the process. */
const FRAME_MS = 100;
const QUEUE_MS = 200;
const FADE_MS = 150;
/** The end of what is played, at most. */
export const PLAYER_STOP_MS = FADE_MS + QUEUE_MS;

/** Plays what somebody who waits hears, in a room that this process is in. */
export class LinePlayer {
  readonly #program: LineProgram;
  #source: AudioSource | undefined;
  #started: Promise<void> = Promise.resolve();
  #unpublish: () => Promise<void> = async () => {};
  #played: Promise<void> = Promise.resolve();
  #stopped: 'now' | 'fade' | undefined;

  constructor(program: LineProgram) {
    this.#program = program;
  }

  /** Music from now on. Resolves when somebody hears it, or nobody has subscribed for too long. */
  start(room: Pick<Room, 'localParticipant'>): Promise<void> {
    this.#started = this.#start(room);
    return this.#started;
  }

  /** The words begin, over the music. */
  speak(): void {
    if (this.#stopped) return;
    this.#source?.clearQueue();
    this.#program.speak();
  }

  /** Only music for a minute. */
  resume(): void {
    this.#program.resume();
  }

  /** Resolves when nothing is played any more; see PLAYER_STOP_MS. Never rejects. @param how the music fades out, or is cut */
  stop(how: 'now' | 'fade'): Promise<void> {
    this.#stopped ??= how;
    return this.#played;
  }

  /** The same, and takes the track out of the room. Never rejects. */
  async remove(): Promise<void> {
    void this.stop('fade');
    await this.#started.catch(() => {});
    await this.#played;
    await this.#unpublish().catch(() => {});
  }

  async #start({ localParticipant }: Pick<Room, 'localParticipant'>): Promise<void> {
    const source = new AudioSource(this.#program.sampleRate, 1, QUEUE_MS);
    this.#source = source;
    const track = LocalAudioTrack.createAudioTrack('waiting-line', source);
    const publication = await localParticipant
      ?.publishTrack(track, voicePublishOptions())
      .catch((error) => {
        void source.close();
        throw error;
      });
    this.#unpublish = async () => {
      if (publication?.sid) await localParticipant?.unpublishTrack(publication.sid);
    };
    this.#played = this.#play(source).finally(() => source.close());
    await waitUntilAudible(publication);
  }

  /** The source takes a frame when there is room for it, which is the clock. */
  async #play(source: AudioSource): Promise<void> {
    const rate = this.#program.sampleRate;
    const capture = (samples: Int16Array) =>
      source.captureFrame(new AudioFrame(samples, rate, 1, samples.length));
    try {
      while (!this.#stopped) await capture(this.#program.next(FRAME_MS));
      if (this.#stopped === 'now') return;
      source.clearQueue();
      await capture(this.#program.fadeOut(FADE_MS));
      await source.waitForPlayout();
    } catch {
      // The connection has gone.
    }
  }
}
