// SPDX-License-Identifier: Apache-2.0
import { generate } from 'selfsigned';

/** A certificate for 127.0.0.1, localhost and further names, made at start; PEM. */
export interface Certificate {
  cert: string;
  key: string;
  /** Who issued it, and only it: the certificate to trust. */
  issuer: string;
}

/**
 * Makes a certificate and its issuer; valid for a year. OpenSSL and s2n trust only what is a CA, and rustls takes no CA for a
 * server, so one certificate would not do for all.
 */
export async function makeCertificate(hostNames: readonly string[] = []): Promise<Certificate> {
  const common = {
    keyType: 'ec' as const,
    algorithm: 'sha256',
    // A day back: a container's clock may lag behind.
    notBeforeDate: new Date(Date.now() - 86_400_000),
  };
  const issuer = await generate([{ name: 'commonName', value: 'Nova Sonic emulator CA' }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  const server = await generate([{ name: 'commonName', value: 'Nova Sonic emulator' }], {
    ...common,
    ca: { key: issuer.private, cert: issuer.cert },
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
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
  return { cert: server.cert, key: server.private, issuer: issuer.cert };
}
