// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { TrackSource } from '@livekit/rtc-node';
import { voicePublishOptions } from '../../../agent/src/call/voice-publish-options.js';

test('a voice is published as a microphone, with the bit rate from which Opus takes half the CPU', () => {
  const { source, audioEncoding } = voicePublishOptions();
  expect([source, audioEncoding?.maxBitrate]).toEqual([TrackSource.SOURCE_MICROPHONE, 64_000n]);
});

test('a voice has the bit rate that the operator wants', () => {
  expect(voicePublishOptions(24).audioEncoding?.maxBitrate).toBe(24_000n);
});
