// SPDX-License-Identifier: Apache-2.0

/** What the choice of a track needs to know about it, as LiveKit's `TrackSource` in small letters. */
export interface AudioTrackLabel {
  source: 'microphone' | 'screenshare_audio' | 'unknown';
}

/**
 * The audio tracks that carry a caller's voice, of those that are subscribed: the microphones; else those without a
 * label, since some clients and bridges set none; else whatever there is. Several of a kind are all heard: LiveKit does
 * not say which is the newest, nor which one somebody speaks into.
 */
export function chooseAudioTracks<T extends AudioTrackLabel>(tracks: readonly T[]): readonly T[] {
  for (const wanted of ['microphone', 'unknown'] as const) {
    const found = tracks.filter(({ source }) => source === wanted);
    if (found.length > 0) return found;
  }
  return tracks;
}
