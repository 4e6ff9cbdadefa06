// SPDX-License-Identifier: Apache-2.0

import type { CallerDevice } from '../../agent/src/caller/caller.js';
import { PHONE_RATE, throughG711 } from '../audio/g711.js';
import { type Noise, NoiseMixer } from '../audio/noise.js';
import { answerWhenHeard, createSipParticipant } from './phone.js';

/** How somebody calls. */
export interface CallerConditions {
  /** As a telephone through LiveKit's SIP service: a SIP participant, with the sound of G.711. */
  phone?: boolean;
  /** The telephone is dialed by somebody, and not answered yet. */
  dialed?: boolean;
  /** What is around the caller all the time. Default: silence. */
  noise?: Noise;
}

/**
 * What somebody calls with.
 * @param sampleRate Of a caller without a telephone, in Hz
 * @throws Error with one sentence when the file with the noise cannot be read
 */
export function createDevice(
  { phone, dialed, noise }: CallerConditions,
  sampleRate: number,
): Required<Pick<CallerDevice, 'send' | 'receive'>> & CallerDevice {
  const rate = phone ? PHONE_RATE : sampleRate;
  const mixer = noise && new NoiseMixer(noise, rate);
  const line = (samples: Int16Array) => (phone ? throughG711(samples) : samples);
  return {
    sampleRate: rate,
    ...(phone && { sip: createSipParticipant({ dialed }) }),
    ...(phone && !dialed && { beforeJoin: answerWhenHeard }),
    send: (samples) => line(mixer?.addTo(samples) ?? samples),
    receive: line,
  };
}
