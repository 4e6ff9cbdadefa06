// SPDX-License-Identifier: Apache-2.0

/** What the choice of a track needs to know about it, as LiveKit's `TrackSource` in small letters. */
export interface AudioTrackLabel {
  source: 'microphone' | 'screenshare_audio' | 'unknown';
}

/**
 * The audio track that carries a caller's voice, of those that are subscribed, oldest first: the newest microphone (as
 * after a reload of the page); else the newest without a label, since some clients and bridges set none; else whatever
 * there is.
 */
export function chooseAudioTrack<T extends AudioTrackLabel>(tracks: readonly T[]): T | undefined {
  const newest = (wanted: AudioTrackLabel['source']) =>
    tracks.findLast(({ source }) => source === wanted);
  return newest('microphone') ?? newest('unknown') ?? tracks.at(-1);
}
