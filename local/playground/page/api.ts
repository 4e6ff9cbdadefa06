// SPDX-License-Identifier: Apache-2.0

import type { Target } from './problems.js';

/** A call that the local server has prepared: a room of its own and a token for it alone. */
export interface Ticket {
  url: string;
  token: string;
  room: string;
}

/** @throws TypeError when the server is gone. */
export async function target(): Promise<Target> {
  return json<Target>(await fetch('/api/target'));
}

/** @throws TypeError when the server is gone, Error with its words when it refuses. */
export async function newCall(): Promise<Ticket> {
  const headers = { 'content-type': 'application/json' };
  return json<Ticket>(await fetch('/api/call', { method: 'POST', headers, body: '{}' }));
}

async function json<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error((await response.text()) || response.statusText);
  return (await response.json()) as T;
}
