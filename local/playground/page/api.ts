// SPDX-License-Identifier: Apache-2.0

import type { Target } from './target.js';

/** A room for one call, and a token that is valid for it only. */
export interface ConnectionDetails {
  url: string;
  token: string;
  room: string;
}

/** @throws TypeError when the server is unreachable. */
export async function fetchTarget(): Promise<Target> {
  return readJson<Target>(await fetch('/api/target'));
}

/** @throws TypeError when the server is unreachable, Error with its message when it rejects the request. */
export async function createCall(): Promise<ConnectionDetails> {
  const headers = { 'content-type': 'application/json' };
  return readJson(await fetch('/api/call', { method: 'POST', headers, body: '{}' }));
}

async function readJson<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error((await response.text()) || response.statusText);
  return (await response.json()) as T;
}
