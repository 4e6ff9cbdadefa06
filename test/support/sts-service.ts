// SPDX-License-Identifier: Apache-2.0

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

/** The credentials that the stand-in gives to whoever assumes a role. */
export interface AssumedRole {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const xml = (action: string, body: string) =>
  `<${action} xmlns="https://sts.amazonaws.com/doc/2011-06-15/">${body}</${action}>`;

/**
 * A stand-in for AWS STS: AssumeRole in the Query protocol, as the unmodified SDK asks it (AWS_ENDPOINT_URL_STS). A role
 * that it does not know is refused as AWS refuses one whose trust policy does not name the caller.
 */
export class StsStandIn {
  /** ARNs of roles that were asked for, in order. */
  readonly asked: string[] = [];
  /** Lifetime of the credentials that it gives. */
  lifetimeMs = 3_600_000;
  readonly roles: Map<string, AssumedRole>;
  readonly #server: Server;

  private constructor(roles: Readonly<Record<string, AssumedRole>>) {
    this.roles = new Map(Object.entries(roles));
    this.#server = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk) => {
        text += chunk;
      });
      request.on('end', () => {
        const { status, body } = this.#answer(new URLSearchParams(text));
        response.writeHead(status, { 'content-type': 'text/xml' }).end(body);
      });
    });
  }

  static async start(roles: Readonly<Record<string, AssumedRole>>): Promise<StsStandIn> {
    const service = new StsStandIn(roles);
    service.#server.listen(0, '127.0.0.1');
    await once(service.#server, 'listening');
    return service;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #answer(request: URLSearchParams): { status: number; body: string } {
    const arn = request.get('RoleArn') ?? '';
    this.asked.push(arn);
    const role = this.roles.get(arn);
    if (!role) {
      const message = `User: arn:aws:sts::000000000000:assumed-role/task/1 is not authorized to perform: sts:AssumeRole on resource: ${arn}`;
      const error = `<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>${message}</Message></Error>`;
      return { status: 403, body: xml('ErrorResponse', `${error}<RequestId>1</RequestId>`) };
    }
    const expiration = new Date(Date.now() + this.lifetimeMs).toISOString();
    const credentials = `<Credentials><AccessKeyId>${role.accessKeyId}</AccessKeyId><SecretAccessKey>${role.secretAccessKey}</SecretAccessKey><SessionToken>token</SessionToken><Expiration>${expiration}</Expiration></Credentials>`;
    const result = `<AssumeRoleResult>${credentials}</AssumeRoleResult>`;
    return { status: 200, body: xml('AssumeRoleResponse', result) };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
