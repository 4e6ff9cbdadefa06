// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PcmAudio } from '../caller/pcm.js';
import type { WorkerConfig } from '../config.js';
import { decodeWav } from './decode-wav.js';

/** What ships; a name without a folder means a file here. Spoken by espeak-ng (text2wav). */
const FOLDER = fileURLToPath(new URL('../recordings/', import.meta.url));

/** What callers are told while all lines are taken, and when they cannot wait either. */
export interface LineRecordings {
  readonly busy: PcmAudio;
  readonly full: PcmAudio;
}

/** A recording that cannot be played: one sentence that names the variable. */
export class RecordingError extends Error {
  override name = 'RecordingError';
}

/**
 * Reads the recordings of WAITING_LINE_BUSY and WAITING_LINE_FULL.
 * @throws RecordingError with a sentence for the first that cannot be played
 */
export function readLineRecordings({
  busy,
  full,
}: Pick<WorkerConfig['line'], 'busy' | 'full'>): LineRecordings {
  return {
    busy: readRecording('WAITING_LINE_BUSY', busy),
    full: readRecording('WAITING_LINE_FULL', full),
  };
}

function readRecording(name: string, path: string): PcmAudio {
  try {
    return decodeWav(readFileSync(resolve(FOLDER, path)));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = code === 'ENOENT' ? 'there is no such file' : message;
    throw new RecordingError(
      `${name} cannot be "${path}" (${why}): set it to a WAV file of 16-bit PCM or mu-law, or to the name of one in agent/src/recordings.`,
    );
  }
}
