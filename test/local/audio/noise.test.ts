// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NoiseMixer, parseNoise } from '../../../local/audio/noise.js';
import { rmsLevel, writeWav } from '../../../local/audio/wav.js';

function recording(): string {
  const file = join(mkdtempSync(join(tmpdir(), 'noise-')), 'street-40.wav');
  writeWav(file, { sampleRate: 8_000, samples: Int16Array.of(1_000, 2_000, 3_000) });
  return file;
}

describe('parseNoise', () => {
  it.each(['-40', '-40dB', '-40 dBFS', ' -40.0 '])('reads "%s" as a level', (text) => {
    expect(parseNoise(text)).toEqual({ dbfs: -40 });
  });

  it('takes anything else as a file, which has to be there', () => {
    const file = recording();
    expect(parseNoise(file)).toEqual({ file });
    expect(() => parseNoise('street-40.wav')).toThrow('There is no file street-40.wav');
  });

  it.each(['-91', '0', '40'])('refuses the level %s', (text) => {
    expect(() => parseNoise(text)).toThrow('Give a level from -90 to -10 dBFS, or a WAV file.');
  });
});

describe('NoiseMixer', () => {
  it.each([-50, -26])('adds white noise of %i dBFS', (dbfs) => {
    const noise = new NoiseMixer({ dbfs }, 8_000).addTo(new Int16Array(80_000));
    expect(20 * Math.log10(rmsLevel(noise) / 32_768)).toBeCloseTo(dbfs, 0);
  });

  it('adds a recording that starts again at its end, and clips', () => {
    const mixer = new NoiseMixer({ file: recording() }, 8_000);
    expect(mixer.addTo(Int16Array.of(0, 10, 32_767, -5))).toEqual(
      Int16Array.of(1_000, 2_010, 32_767, 995),
    );
    expect(mixer.addTo(new Int16Array(1))).toEqual(Int16Array.of(2_000));
  });
});
