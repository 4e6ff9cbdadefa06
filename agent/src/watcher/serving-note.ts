// SPDX-License-Identifier: Apache-2.0

import { z } from 'zod';
import type { ServingTasks } from '../ecs/service-api.js';
import type { PresentWorker, RoomsApi } from './rooms-api.js';

const note = z.array(z.tuple([z.string(), z.string(), z.number().int()]));

/**
 * Lets every worker know how many tasks of each deployment take calls. The one that watches, which lists the workers
 * anyway, writes it into the metadata of the room of their presence: LiveKit sends that to all who are in it at once.
 * Those that stand by list them as well, and write what they have seen twice: the watch may be changing hands.
 */
export class ServingNote {
  readonly #api: Pick<RoomsApi, 'writeMetadata'>;
  readonly #room: string;
  readonly #onHeard: (serving: readonly ServingTasks[]) => void;
  #text = '';
  #writing = false;
  #seen = '';

  /** @param room see presenceRoom */
  constructor(
    api: Pick<RoomsApi, 'writeMetadata'>,
    room: string,
    onHeard: (serving: readonly ServingTasks[]) => void,
  ) {
    this.#api = api;
    this.#room = room;
    this.#onHeard = onHeard;
  }

  /** What LiveKit has sent. */
  heard(text: string): void {
    if (text === this.#text) return;
    this.#text = text;
    this.#onHeard(read(text));
  }

  /** Writes it if it is not there yet. @param watching this worker is the one that watches @throws what LiveKit's API does */
  async write(workers: readonly PresentWorker[], watching: boolean): Promise<void> {
    const text = noteOf(workers);
    const again = text === this.#seen;
    this.#seen = text;
    if (this.#writing || text === this.#text || !(watching || again)) return;
    this.#writing = true;
    try {
      await this.#api.writeMetadata(this.#room, text);
    } finally {
      this.#writing = false;
    }
    this.heard(text);
  }
}

function noteOf(workers: readonly PresentWorker[]): string {
  const counts = new Map<string, number>();
  for (const { task } of workers) {
    if (!task) continue;
    const key = JSON.stringify([task.service, task.deployment]);
    counts.set(key, (counts.get(key) ?? 0) + task.tasks);
  }
  if (counts.size === 0) return '';
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted.map(([key, tasks]) => [...JSON.parse(key), tasks]));
}

function read(text: string): ServingTasks[] {
  try {
    const parsed = note.parse(JSON.parse(text));
    return parsed.map(([service, deployment, tasks]) => ({ service, deployment, tasks }));
  } catch {
    return [];
  }
}
