// SPDX-License-Identifier: Apache-2.0

import { AudioFrame, AudioSource, LocalAudioTrack, type Room } from '@livekit/rtc-node';
import { voicePublishOptions } from '../call/voice-publish-options.js';
import { waitUntilAudible } from '../call/wait-until-audible.js';
import type { PcmAudio } from '../caller/pcm.js';

const FRAME_MS = 100;
const QUEUE_MS = 200;
/** A connection that is lost meanwhile takes no more audio. */
const SPARE_MS = 2_000;

/** Plays a recording in a room. Resolves when its last sample has left this process, or could not in time. */
export async function playRecording(room: Room, recording: PcmAudio): Promise<void> {
  const { sampleRate, samples } = recording;
  const { localParticipant } = room;
  if (!localParticipant) return;
  const source = new AudioSource(sampleRate, 1, QUEUE_MS);
  try {
    const track = LocalAudioTrack.createAudioTrack('recording', source);
    const publication = await localParticipant.publishTrack(track, voicePublishOptions());
    await waitUntilAudible(publication);
    const lengthMs = (samples.length * 1_000) / sampleRate;
    await Promise.race([capture(source, recording), pass(lengthMs + SPARE_MS)]);
  } finally {
    await source.close();
  }
}

async function capture(source: AudioSource, { sampleRate, samples }: PcmAudio): Promise<void> {
  const size = (sampleRate * FRAME_MS) / 1_000;
  for (let at = 0; at < samples.length; at += size) {
    const frame = samples.slice(at, at + size);
    await source.captureFrame(new AudioFrame(frame, sampleRate, 1, frame.length));
  }
  await source.waitForPlayout();
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
