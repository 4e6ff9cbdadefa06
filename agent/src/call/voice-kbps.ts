// SPDX-License-Identifier: Apache-2.0

/**
 * Bit rate in kbit/s from which Opus takes any sound as it is (CELT). Below, it takes it for speech, of which it makes a
 * model (SILK): that sounds narrower and costs twice the CPU, in silence as well. Measured with rtc-node 0.13.35: 3.3 %
 * of a core for each track with LiveKit's default, 1.9 % with 56 kbit/s, 1.5 % with 64.
 */
export const DEFAULT_VOICE_KBPS = 64;
