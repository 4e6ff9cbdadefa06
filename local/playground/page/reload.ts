// SPDX-License-Identifier: Apache-2.0

import type { NumberedEvent } from '../state/bedrock-events.js';
import type { CallRecord } from '../state/call-state.js';

const KEY = 'playground.call';
/** Browsers keep 5 MB for a page. */
const MAX_CHARACTERS = 4_000_000;

interface Kept {
  record: CallRecord;
  wire: readonly NumberedEvent[];
}

/** A reload ends the call; what was said is kept for the page that comes after, in this tab only. */
export function keep(record: CallRecord, wire: readonly NumberedEvent[]): void {
  const over = { ...record, endedAt: Date.now() };
  try {
    const all = JSON.stringify({ record: over, wire });
    const fits = all.length < MAX_CHARACTERS ? all : JSON.stringify({ record: over, wire: [] });
    sessionStorage.setItem(KEY, fits);
  } catch {
    // Then the page begins anew.
  }
}

/** What was kept, once. */
export function kept(): Kept | undefined {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return text ? (JSON.parse(text) as Kept) : undefined;
  } catch {
    return undefined;
  }
}
