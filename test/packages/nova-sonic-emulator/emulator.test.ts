// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import { toneSpeech } from './support/tone-speech.js';

it('an emulator that cannot listen leaves the certificate of the one that runs', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'emulator-'));
  const certFile = join(folder, 'cert.pem');
  const options = { certFile, textToSpeech: toneSpeech };
  const first = await startEmulator(options);
  try {
    const before = readFileSync(certFile, 'utf8');
    const port = Number(new URL(first.url).port);
    await expect(startEmulator({ ...options, port })).rejects.toThrow('EADDRINUSE');
    expect(readFileSync(certFile, 'utf8')).toBe(before);
    expect(readdirSync(folder)).toEqual(['cert.pem']);
  } finally {
    await first.close();
    rmSync(folder, { recursive: true, force: true });
  }
});
