// SPDX-License-Identifier: Apache-2.0
import { once } from 'node:events';
import http2 from 'node:http2';

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY/;

/**
 * Connects to a URL once: the AWS SDK tells of a connection that failed only that its stream was aborted.
 * @throws Error of one sentence
 */
export async function reach(url: string): Promise<void> {
  const session = http2.connect(url);
  try {
    await once(session, 'connect');
  } catch (error) {
    const { code = '', message } = error as Error & { code?: string };
    throw new Error(
      CERTIFICATE.test(code)
        ? `The certificate of ${url} is not trusted (${code}): set NODE_EXTRA_CA_CERTS to the file of its authority.`
        : `Nothing answers at ${url} (${code || message}): check the address, and that the server runs.`,
    );
  } finally {
    session.destroy();
  }
}
