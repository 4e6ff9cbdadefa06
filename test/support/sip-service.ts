// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What the stand-in answers to a method of LiveKit's API: a body, a failure with a SIP status as livekit-server reports
 * it (metadata of the Twirp error), or nothing at all.
 */
export type SipAnswer =
  | { body: object }
  | { code: string; httpStatus: number; sipStatus?: number }
  | 'silence';

/** A stand-in for LiveKit's API with its SIP service: records what is asked, and answers what it is told. */
export class SipServiceStandIn {
  readonly requests: { method: string; body: Record<string, unknown> }[] = [];
  readonly answers = new Map<string, SipAnswer>();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const method = request.url?.split('/').at(-1) ?? '';
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        this.requests.push({ method, body: JSON.parse(text || '{}') as Record<string, unknown> });
        const answer = this.answers.get(method) ?? { body: {} };
        if (answer === 'silence') return;
        if ('body' in answer) {
          response.setHeader('content-type', 'application/json').end(JSON.stringify(answer.body));
          return;
        }
        const { code, httpStatus, sipStatus } = answer;
        const meta = sipStatus && { sip_status_code: String(sipStatus), sip_status: 'told' };
        response
          .writeHead(httpStatus, { 'content-type': 'application/json' })
          .end(JSON.stringify({ code, msg: 'told to fail', ...(meta && { meta }) }));
      });
    });
  }

  static async start(): Promise<SipServiceStandIn> {
    const service = new SipServiceStandIn();
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The only request of a method. */
  request(method: string): Record<string, unknown> {
    const found = this.requests.filter((request) => request.method === method);
    if (found.length !== 1) throw new Error(`${found.length} requests of ${method}.`);
    return found[0]?.body ?? {};
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
