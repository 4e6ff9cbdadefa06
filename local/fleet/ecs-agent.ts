// SPDX-License-Identifier: Apache-2.0

import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * How the stand-in answers, after
 * https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-scale-in-protection-endpoint.html
 * `ok`: does as asked. `blocked`: status 200 with a `failure` body. `denied`: status 400 with an `error` body.
 * `broken`: status 500. `silent`: no answer.
 */
export type EcsBehaviour = 'ok' | 'blocked' | 'denied' | 'broken' | 'silent';

/** A moment at which ECS's belief about the task changed. */
export interface ProtectionChange {
  /** Milliseconds since the epoch. */
  at: number;
  protected: boolean;
}

export interface EcsAgentOptions {
  /** Chosen for each request. Default: `ok`. */
  behaviour?: () => EcsBehaviour;
  /** Milliseconds until the answer. Default 0. */
  delayMs?: () => number;
}

const CLUSTER = 'arn:aws:ecs:us-east-1:111122223333:task/local';

/** A stand-in for the ECS agent's endpoint: one instance is one task. */
export class EcsAgentStandIn {
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  readonly #options: EcsAgentOptions;
  readonly #arn: string;
  readonly #open = new Set<ServerResponse>();
  readonly #events = new EventEmitter<{ change: [] }>();
  #expiry: NodeJS.Timeout | undefined;
  #protected = false;
  /** What ECS believed, and since when. */
  readonly changes: ProtectionChange[] = [];
  /** Requests to change the protection, as they came. */
  readonly requests: { at: number; enabled: boolean; behaviour: EcsBehaviour }[] = [];

  private constructor(name: string, options: EcsAgentOptions) {
    this.#arn = `${CLUSTER}/${name}`;
    this.#options = options;
  }

  /** @param name the task's id in its ARN */
  static async start(name: string, options: EcsAgentOptions = {}): Promise<EcsAgentStandIn> {
    const agent = new EcsAgentStandIn(name, options);
    await new Promise<void>((resolve) => agent.#server.listen(0, '127.0.0.1', resolve));
    return agent;
  }

  /** What the task finds in `ECS_AGENT_URI`. */
  get uri(): string {
    const { port } = this.#server.address() as { port: number };
    return `http://127.0.0.1:${port}/api/local`;
  }

  get protected(): boolean {
    return this.#protected;
  }

  /** Whether the task was protected at a moment of the past, in milliseconds since the epoch. */
  protectedAt(at: number): boolean {
    return this.changes.findLast((change) => change.at <= at)?.protected ?? false;
  }

  /** Resolves when the task is protected, or no longer, and rejects when that takes longer than `ms`. */
  async until(protection: boolean, ms: number): Promise<void> {
    const signal = AbortSignal.timeout(ms);
    while (this.#protected !== protection) await once(this.#events, 'change', { signal });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#expiry);
    for (const response of this.#open) response.destroy();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.#open.add(response);
    response.on('close', () => this.#open.delete(response));
    const known = request.url?.endsWith('/task-protection/v1/state');
    if (!known) send(response, 404, {});
    else if (request.method === 'GET') send(response, 200, this.#state());
    else if (request.method === 'PUT') await this.#change(request, response);
    else send(response, 405, {});
  }

  async #change(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const wanted = await body(request);
    const enabled = wanted?.ProtectionEnabled;
    const minutes = wanted?.ExpiresInMinutes ?? 120;
    const lasting = Number.isInteger(minutes) && minutes >= 1 && minutes <= 2880;
    if (typeof enabled !== 'boolean' || !lasting) {
      const message = 'Field ProtectionEnabled or ExpiresInMinutes is invalid';
      send(response, 400, this.#error('InvalidParameterException', message));
      return;
    }
    const behaviour = this.#options.behaviour?.() ?? 'ok';
    this.requests.push({ at: Date.now(), enabled, behaviour });
    await new Promise((resolve) => setTimeout(resolve, this.#options.delayMs?.() ?? 0));
    if (behaviour === 'silent') return;
    if (behaviour === 'ok') this.#set(enabled, minutes);
    const [status, content] = this.#answer(behaviour);
    send(response, status, content);
  }

  #answer(behaviour: Exclude<EcsBehaviour, 'silent'>): [number, object] {
    switch (behaviour) {
      case 'ok':
        return [200, this.#state()];
      case 'blocked':
        return [200, { failure: { Arn: this.#arn, Detail: null, Reason: 'DEPLOYMENT_BLOCKED' } }];
      case 'denied':
        return [400, this.#error('AccessDeniedException', 'not allowed: ecs:UpdateTaskProtection')];
      case 'broken':
        return [500, this.#error('ServerException', 'Service Unavailable')];
    }
  }

  #set(enabled: boolean, minutes: number): void {
    clearTimeout(this.#expiry);
    this.#believe(enabled);
    if (!enabled) return;
    this.#expiry = setTimeout(() => this.#believe(false), minutes * 60_000).unref();
  }

  #believe(enabled: boolean): void {
    if (this.#protected === enabled) return;
    this.#protected = enabled;
    this.changes.push({ at: Date.now(), protected: enabled });
    this.#events.emit('change');
  }

  #state(): object {
    const protection = { ProtectionEnabled: this.#protected, TaskArn: this.#arn };
    const ExpirationDate = new Date(Date.now() + 300_000).toISOString();
    return { protection: { ...(this.#protected && { ExpirationDate }), ...protection } };
  }

  #error(Code: string, Message: string): object {
    return { requestID: 'local', error: { Arn: this.#arn, Code, Message } };
  }
}

async function body(
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

function send(response: ServerResponse, status: number, content: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(content));
}
