// SPDX-License-Identifier: Apache-2.0

import { TrackPublishOptions, TrackSource } from '@livekit/rtc-node';
import { DEFAULT_VOICE_KBPS } from './voice-kbps.js';

/** How a track with a voice is published. @param kbps at most so many kbit/s; LiveKit sends each packet twice (RED) */
export function voicePublishOptions(kbps = DEFAULT_VOICE_KBPS): TrackPublishOptions {
  return new TrackPublishOptions({
    source: TrackSource.SOURCE_MICROPHONE,
    audioEncoding: { maxBitrate: BigInt(kbps * 1000) },
  });
}
