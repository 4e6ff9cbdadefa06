// SPDX-License-Identifier: Apache-2.0

import { createLocalAudioTrack, type LocalAudioTrack, TrackEvent } from 'livekit-client';
import { type Problem, silentMicrophone, systemMuted } from './problems.js';

/** No level above this (-66 dBFS) for SILENT_AFTER_MS means that the microphone delivers no sound at all. */
const NOISE_FLOOR = 0.0005;
const SILENT_AFTER_MS = 8_000;

/** The user's microphone in one call: mute, push-to-talk, and a check that it delivers sound. */
export class Microphone {
  readonly track: LocalAudioTrack;
  #transmitting = true;
  #silentSince: number | undefined;
  #heard = false;

  /**
   * @param onTrack called with the browser's track, and again with each track that replaces it
   * @throws DOMException as `getUserMedia` does.
   */
  static async open(
    deviceId: string,
    onTrack: (track: MediaStreamTrack) => void,
  ): Promise<Microphone> {
    // Older browsers have no mediaDevices, nor do pages on other hosts without HTTPS.
    if (!navigator.mediaDevices)
      throw new Error(
        'This browser does not give the page a microphone: open the page at http://127.0.0.1.',
      );
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
    // The browser replaces the track when another device is chosen, on unmute, and when the device is unplugged.
    track.on(TrackEvent.Restarted, () => {
      this.#heard = false;
      this.#silentSince = undefined;
      this.#apply();
      onTrack(track.mediaStreamTrack);
    });
  }

  /** @throws DOMException as `getUserMedia` does. */
  async switchDevice(deviceId: string): Promise<void> {
    await this.track.setDeviceId(deviceId ? { exact: deviceId } : 'default');
  }

  /** Mutes or unmutes the track; the other participants see it. */
  async mute(muted: boolean): Promise<void> {
    await (muted ? this.track.mute() : this.track.unmute());
    this.#apply();
  }

  /** Push-to-talk: sends silence instead of sound. Immediate, and invisible to other participants. */
  transmit(on: boolean): void {
    this.#transmitting = on;
    this.#apply();
  }

  /**
   * Call with each level while the user can speak.
   * @returns the problem, or undefined
   */
  checkLevel(level: number, now: number): Problem | undefined {
    if (this.track.mediaStreamTrack.muted) return systemMuted;
    if (level > NOISE_FLOOR) this.#heard = true;
    if (this.#heard || this.track.isMuted || !this.#transmitting) {
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
    this.track.mediaStreamTrack.enabled = this.#transmitting && !this.track.isMuted;
  }
}
