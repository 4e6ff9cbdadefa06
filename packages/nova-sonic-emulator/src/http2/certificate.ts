// SPDX-License-Identifier: Apache-2.0
import { generate } from 'selfsigned';

/** A certificate for 127.0.0.1, localhost and further names, made at start; PEM. */
export interface Certificate {
  cert: string;
  key: string;
}

/** Makes a self-signed certificate that can itself be put in a trust store; valid for a year. */
export async function makeCertificate(hostNames: readonly string[] = []): Promise<Certificate> {
  const pems = await generate([{ name: 'commonName', value: 'Nova Sonic emulator' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    // A day back: a container's clock may lag behind.
    notBeforeDate: new Date(Date.now() - 86_400_000),
    extensions: [
      // OpenSSL and s2n take a trust anchor that is also the server's certificate only if it is a CA.
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', digitalSignature: true, keyCertSign: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          { type: 7, ip: '127.0.0.1' },
          { type: 2, value: 'localhost' },
          ...hostNames.map((value) => ({ type: 2 as const, value })),
        ],
      },
    ],
  });
  return { cert: pems.cert, key: pems.private };
}
