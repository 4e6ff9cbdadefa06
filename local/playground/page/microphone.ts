// SPDX-License-Identifier: Apache-2.0

import { createLocalAudioTrack, type LocalAudioTrack, TrackEvent } from 'livekit-client';
import { type Problem, silentMicrophone, systemMuted } from './problems.js';

/** Nothing above this (-66 dBFS) for so long means that no sound comes at all. */
const FLOOR = 0.0005;
const SILENT_AFTER_MS = 8_000;

/** The user's microphone: opened once a call, muted, held back by push-to-talk, watched for silence. */
export class Microphone {
  readonly track: LocalAudioTrack;
  #open = true;
  #silentSince: number | undefined;
  #heard = false;

  /**
   * @param onTrack told of the browser's track, and of each one that takes its place
   * @throws DOMException as `getUserMedia` does.
   */
  static async open(
    deviceId: string,
    onTrack: (track: MediaStreamTrack) => void,
  ): Promise<Microphone> {
    // Older browsers and pages that are not served from this machine have no mediaDevices at all.
    if (!navigator.mediaDevices)
      throw new Error('This browser gives the page no microphone: open it as http://127.0.0.1.');
    const track = await createLocalAudioTrack({
      echoCancellation: true,
      noiseSuppression: true,
      autoGainControl: true,
      ...(deviceId && { deviceId: { exact: deviceId } }),
    });
    return new Microphone(track, onTrack);
  }

  private constructor(track: LocalAudioTrack, onTrack: (track: MediaStreamTrack) => void) {
    this.track = track;
    onTrack(track.mediaStreamTrack);
    // Another device brings another track of the browser's: at once, when it is unmuted, or when this one is unplugged.
    track.on(TrackEvent.Restarted, () => {
      this.#heard = false;
      this.#silentSince = undefined;
      this.#apply();
      onTrack(track.mediaStreamTrack);
    });
  }

  /** @throws DOMException as `getUserMedia` does. */
  async use(deviceId: string): Promise<void> {
    await this.track.setDeviceId(deviceId ? { exact: deviceId } : 'default');
  }

  /** Muted, the room is told so. */
  async mute(muted: boolean): Promise<void> {
    await (muted ? this.track.mute() : this.track.unmute());
    this.#apply();
  }

  /** Held back, silence is sent: at once, and nobody is told. */
  hold(back: boolean): void {
    this.#open = !back;
    this.#apply();
  }

  /**
   * Looks at the level while the user could speak.
   * @returns what is wrong, undefined when nothing is.
   */
  watch(level: number, now: number): Problem | undefined {
    if (this.track.mediaStreamTrack.muted) return systemMuted;
    if (level > FLOOR) this.#heard = true;
    if (this.#heard || this.track.isMuted || !this.#open) {
      this.#silentSince = undefined;
      return undefined;
    }
    this.#silentSince ??= now;
    return now - this.#silentSince > SILENT_AFTER_MS ? silentMicrophone : undefined;
  }

  close(): void {
    this.track.stop();
  }

  #apply(): void {
    this.track.mediaStreamTrack.enabled = this.#open && !this.track.isMuted;
  }
}
