// SPDX-License-Identifier: Apache-2.0

import { decodeMuLaw } from '../caller/mu-law.js';
import type { PcmAudio } from '../caller/pcm.js';

const PCM = 1;
const MU_LAW = 7;
/** The format follows in the first two bytes of a GUID. */
const EXTENSIBLE = 0xfffe;
const EXTENSIBLE_FORMAT = 24;
const RATES = { min: 8_000, max: 48_000 };
/** WebRTC takes 10 ms at a time: other rates are brought to this one. */
const WEBRTC_RATE = 48_000;

/**
 * The audio of a WAV file of 16-bit PCM or G.711 mu-law, mixed to one channel, at a rate that WebRTC takes.
 * @throws Error with the reason, without a period, when the file is none of them or has no audio
 */
export function decodeWav(file: Uint8Array): PcmAudio {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const chunks = chunksOf(bytes);
  const format = chunks.get('fmt ');
  const data = chunks.get('data');
  if (!format || format.length < 16 || !data) throw new Error('it is no WAV file');
  const stated = format.readUInt16LE(0);
  const extended = stated === EXTENSIBLE && format.length >= EXTENSIBLE_FORMAT + 2;
  const coding = extended ? format.readUInt16LE(EXTENSIBLE_FORMAT) : stated;
  const channels = format.readUInt16LE(2);
  const sampleRate = format.readUInt32LE(4);
  const bits = format.readUInt16LE(14);
  if (!(coding === PCM && bits === 16) && !(coding === MU_LAW && bits === 8))
    throw new Error('it is neither 16-bit PCM nor mu-law');
  if (channels < 1 || sampleRate < RATES.min || sampleRate > RATES.max)
    throw new Error(`its rate is not from ${RATES.min} to ${RATES.max} Hz`);

  const sampleAt =
    coding === PCM
      ? (i: number) => data.readInt16LE(2 * i)
      : (i: number) => decodeMuLaw(data[i] ?? 0xff);
  const width = (bits / 8) * channels;
  const samples = Int16Array.from({ length: Math.floor(data.length / width) }, (_, i) => {
    let sum = 0;
    for (let channel = 0; channel < channels; channel++) sum += sampleAt(i * channels + channel);
    return sum / channels;
  });
  if (samples.length === 0) throw new Error('it has no audio');
  return sampleRate % 100 === 0
    ? { sampleRate, samples }
    : { sampleRate: WEBRTC_RATE, samples: stretch(samples, WEBRTC_RATE / sampleRate) };
}

/** The chunks of a RIFF file; the last one may be cut off. */
function chunksOf(bytes: Buffer): Map<string, Buffer> {
  const chunks = new Map<string, Buffer>();
  if (bytes.toString('latin1', 0, 4) !== 'RIFF' || bytes.toString('latin1', 8, 12) !== 'WAVE')
    return chunks;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt32LE(at + 4);
    chunks.set(bytes.toString('latin1', at, at + 4), bytes.subarray(at + 8, at + 8 + length));
    // Chunks begin at even addresses.
    at += 8 + length + (length % 2);
  }
  return chunks;
}

/** So many times as many samples, in straight lines between those that are there. @param factor above 1 */
function stretch(samples: Int16Array, factor: number): Int16Array {
  return Int16Array.from({ length: Math.floor(samples.length * factor) }, (_, i) => {
    const at = i / factor;
    const from = samples[Math.floor(at)] ?? 0;
    const to = samples[Math.floor(at) + 1] ?? from;
    return from + (to - from) * (at % 1);
  });
}
