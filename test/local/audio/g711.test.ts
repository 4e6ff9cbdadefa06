// SPDX-License-Identifier: Apache-2.0

import { PHONE_RATE, throughG711 } from '../../../local/audio/g711.js';
import { rmsLevel } from '../../../local/audio/wav.js';

const sine = (amplitude: number) =>
  Int16Array.from({ length: PHONE_RATE }, (_, i) =>
    Math.round(amplitude * Math.sin((2 * Math.PI * 440 * i) / PHONE_RATE)),
  );

describe('throughG711', () => {
  it.each([500, 5_000, 30_000])(
    'keeps a tone of amplitude %i with 8 bits of noise',
    (amplitude) => {
      const tone = sine(amplitude);
      const heard = throughG711(tone);
      const noise = rmsLevel(heard.map((sample, i) => sample - (tone[i] ?? 0)));
      // G.711 has a signal-to-noise ratio of about 38 dB at any usual level (ITU-T G.712 asks for 33 dB).
      expect(20 * Math.log10(rmsLevel(tone) / noise)).toBeGreaterThan(30);
      expect(heard).not.toEqual(tone);
      // 256 codes, of which two are silence.
      expect(new Set(heard).size).toBeLessThanOrEqual(255);
    },
  );

  it('keeps silence silent, and clips at the loudest sample', () => {
    expect(throughG711(new Int16Array(80))).toEqual(new Int16Array(80));
    expect(throughG711(Int16Array.of(32_767, -32_768))).toEqual(Int16Array.of(32_124, -32_124));
  });
});
