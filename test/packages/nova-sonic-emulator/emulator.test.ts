// SPDX-License-Identifier: Apache-2.0
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { makeCertificate } from '../../../packages/nova-sonic-emulator/src/http2/certificate.js';
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

it('presents no CA, which rustls refuses, and has a CA trusted, which OpenSSL wants', async () => {
  const { cert, key, issuer } = await makeCertificate(['bedrock']);
  const [server, ca] = [new X509Certificate(cert), new X509Certificate(issuer)];
  expect([server.ca, ca.ca]).toEqual([false, true]);
  expect(server.verify(ca.publicKey)).toBe(true);
  expect(server.issuer).toBe(ca.subject);
  expect(server.issuer).not.toBe(server.subject);
  expect(server.checkPrivateKey(createPrivateKey(key))).toBe(true);
  expect([server.checkIP('127.0.0.1'), server.checkHost('bedrock')]).toEqual([
    '127.0.0.1',
    'bedrock',
  ]);
});
