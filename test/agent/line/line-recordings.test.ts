// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import { readWorkerConfig } from '../../../agent/src/config.js';
import { RecordingError, readLineRecordings } from '../../../agent/src/line/line-recordings.js';

const FOLDER = fileURLToPath(new URL('../../../agent/src/recordings/', import.meta.url));
const { line } = readWorkerConfig({
  LIVEKIT_URL: 'ws://127.0.0.1:7880',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'secret',
});

describe('the recordings that ship', () => {
  it('are short, loud enough and small', () => {
    for (const { sampleRate, samples } of Object.values(readLineRecordings(line))) {
      expect(samples.length / sampleRate).toBeLessThan(6);
      expect(Math.max(...samples)).toBeGreaterThan(10_000);
    }
    for (const name of [line.busy, line.full])
      expect(statSync(join(FOLDER, name)).size).toBeLessThan(50_000);
  });

  it('can be replaced by a path', () => {
    const other = join(FOLDER, line.full);
    expect(readLineRecordings({ ...line, busy: other }).busy).toEqual(
      readLineRecordings(line).full,
    );
  });
});

describe('a recording that cannot be played', () => {
  const broken = join(mkdtempSync(join(tmpdir(), 'line-')), 'broken.wav');
  writeFileSync(broken, 'no audio');

  it.each([
    ['missing', '/none/there.wav', 'there is no such file'],
    ['no WAV', broken, 'it is no WAV file'],
    ['a folder', FOLDER, 'EISDIR'],
  ])('(%s) is named with the variable and what to do', (_, busy, why) => {
    const read = () => readLineRecordings({ ...line, busy });
    expect(read).toThrow(RecordingError);
    expect(read).toThrow(/^WAITING_LINE_BUSY cannot be ".*" \(.*\): set it to a WAV file of .*\.$/);
    expect(read).toThrow(why);
  });
});
