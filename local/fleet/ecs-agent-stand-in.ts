// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * How the stand-in responds to a request. Source:
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
 * `ok`: applies the request. `blocked`: status 200 with a `failure` body. `denied`: status 400 with an `error` body.
 * `broken`: status 500. `silent`: no response.
 */
export type EcsBehaviour = 'ok' | 'blocked' | 'denied' | 'broken' | 'silent';

/** A change of the task's protection as ECS knows it. */
export interface ProtectionChange {
  /** Milliseconds since the epoch. */
  at: number;
  protected: boolean;
}

export interface EcsAgentOptions {
  /** Called for each request. Default: `ok`. */
  behaviour?: () => EcsBehaviour;
  /** Milliseconds until the response, called for each request. Default 0. */
  delayMs?: () => number;
}

const CLUSTER = 'arn:aws:ecs:us-east-1:111122223333:task/local';

/** Stands in for the ECS agent's task-protection endpoint: one instance for each task. */
export class EcsAgentStandIn {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #options: EcsAgentOptions;
  readonly #arn: string;
  readonly #openResponses = new Set<ServerResponse>();
  readonly #events = new EventEmitter<{ change: [] }>();
  #expiry: NodeJS.Timeout | undefined;
  #protected = false;
  /** Every change of the protection, oldest first. */
  readonly changes: ProtectionChange[] = [];
  /** Every valid request to change the protection, oldest first. */
  readonly requests: { at: number; enabled: boolean; behaviour: EcsBehaviour }[] = [];

  private constructor(name: string, options: EcsAgentOptions) {
    this.#arn = `${CLUSTER}/${name}`;
    this.#options = options;
  }

  /** @param name Id of the task in its ARN. */
  static async start(name: string, options: EcsAgentOptions = {}): Promise<EcsAgentStandIn> {
    const agent = new EcsAgentStandIn(name, options);
    await new Promise<void>((resolve) => agent.#server.listen(0, '127.0.0.1', resolve));
    return agent;
  }

  /** Value of `ECS_AGENT_URI` for the task. */
  get uri(): string {
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}/api/local`;
  }

  get protected(): boolean {
    return this.#protected;
  }

  /** Whether the task was protected at a past time, in milliseconds since the epoch. */
  protectedAt(at: number): boolean {
    return this.changes.findLast((change) => change.at <= at)?.protected ?? false;
  }

  /** Waits until the task is protected, or is not; rejects after `ms`. */
  async waitUntilProtected(wanted: boolean, ms: number): Promise<void> {
    const signal = AbortSignal.timeout(ms);
    while (this.#protected !== wanted) await once(this.#events, 'change', { signal });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#expiry);
    for (const response of this.#openResponses) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#openResponses.add(response);
    response.on('close', () => this.#openResponses.delete(response));
    const known = request.url?.endsWith('/task-protection/v1/state');
    if (!known) sendJson(response, 404, {});
    else if (request.method === 'GET') sendJson(response, 200, this.#protectionBody());
    else if (request.method === 'PUT') await this.#handlePut(request, response);
    else sendJson(response, 405, {});
  }

  async #handlePut(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const input = await readJson(request);
    const enabled = input?.ProtectionEnabled;
    const minutes = input?.ExpiresInMinutes ?? 120;
    const validExpiry = Number.isInteger(minutes) && minutes >= 1 && minutes <= 2880;
    if (typeof enabled !== 'boolean' || !validExpiry) {
      const message = 'Field ProtectionEnabled or ExpiresInMinutes is invalid';
      sendJson(response, 400, this.#errorBody('InvalidParameterException', message));
      return;
    }
    const behaviour = this.#options.behaviour?.() ?? 'ok';
    this.requests.push({ at: Date.now(), enabled, behaviour });
    await new Promise((resolve) => setTimeout(resolve, this.#options.delayMs?.() ?? 0));
    if (behaviour === 'silent') return;
    if (behaviour === 'ok') this.#applyProtection(enabled, minutes);
    const [status, content] = this.#responseFor(behaviour);
    sendJson(response, status, content);
  }

  #responseFor(behaviour: Exclude<EcsBehaviour, 'silent'>): [number, object] {
    switch (behaviour) {
      case 'ok':
        return [200, this.#protectionBody()];
      case 'blocked':
        return [200, { failure: { Arn: this.#arn, Detail: null, Reason: 'DEPLOYMENT_BLOCKED' } }];
      case 'denied':
        return [
          400,
          this.#errorBody('AccessDeniedException', 'not allowed: ecs:UpdateTaskProtection'),
        ];
      case 'broken':
        return [500, this.#errorBody('ServerException', 'Service Unavailable')];
    }
  }

  #applyProtection(enabled: boolean, minutes: number): void {
    clearTimeout(this.#expiry);
    this.#setProtected(enabled);
    if (!enabled) return;
    this.#expiry = setTimeout(() => this.#setProtected(false), minutes * 60_000).unref();
  }

  #setProtected(enabled: boolean): void {
    if (this.#protected === enabled) return;
    this.#protected = enabled;
    this.changes.push({ at: Date.now(), protected: enabled });
    this.#events.emit('change');
  }

  #protectionBody(): object {
    const protection = { ProtectionEnabled: this.#protected, TaskArn: this.#arn };
    const ExpirationDate = new Date(Date.now() + 300_000).toISOString();
    return { protection: { ...(this.#protected && { ExpirationDate }), ...protection } };
  }

  #errorBody(Code: string, Message: string): object {
    return { requestID: 'local', error: { Arn: this.#arn, Code, Message } };
  }
}

async function readJson(
  request: IncomingMessage,
): Promise<{ ProtectionEnabled?: unknown; ExpiresInMinutes?: number } | undefined> {
  let text = '';
  for await (const chunk of request) text += chunk;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function sendJson(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(content));
}
