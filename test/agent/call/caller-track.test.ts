// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { type AudioTrackLabel, chooseAudioTrack } from '../../../agent/src/call/caller-track.js';

type Source = AudioTrackLabel['source'];

it.each<[string, Source[], number | undefined]>([
  ['no track: none', [], undefined],
  ['the microphone', ['microphone'], 0],
  ['the newest of several microphones', ['microphone', 'unknown', 'microphone', 'unknown'], 2],
  ['the only track, without a label', ['unknown'], 0],
  ['the only track, whatever its label', ['screenshare_audio'], 0],
  ['a microphone rather than the sound of a screen', ['microphone', 'screenshare_audio'], 0],
  ['what has no label rather than the sound of a screen', ['unknown', 'screenshare_audio'], 0],
  ['the newest of several without a label', ['unknown', 'unknown'], 1],
])('%s', (_title, sources, expected) => {
  const tracks = sources.map((source, index) => ({ source, index }));
  expect(chooseAudioTrack(tracks)?.index).toBe(expected);
});
