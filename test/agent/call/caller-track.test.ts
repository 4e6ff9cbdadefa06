// SPDX-License-Identifier: Apache-2.0

import { expect, it } from '@jest/globals';
import { type AudioTrackLabel, chooseAudioTracks } from '../../../agent/src/call/caller-track.js';

type Source = AudioTrackLabel['source'];

it.each<[string, Source[], number[]]>([
  ['no track: none', [], []],
  ['the microphone', ['microphone'], [0]],
  ['all microphones, and nothing else', ['microphone', 'unknown', 'microphone'], [0, 2]],
  ['the only track, without a label', ['unknown'], [0]],
  ['the only track, whatever its label', ['screenshare_audio'], [0]],
  ['a microphone rather than the sound of a screen', ['screenshare_audio', 'microphone'], [1]],
  ['what has no label rather than the sound of a screen', ['unknown', 'screenshare_audio'], [0]],
])('%s', (_title, sources, expected) => {
  const tracks = sources.map((source, index) => ({ source, index }));
  expect(chooseAudioTracks(tracks).map(({ index }) => index)).toEqual(expected);
});
