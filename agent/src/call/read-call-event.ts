// SPDX-License-Identifier: Apache-2.0

import type { CallEvent } from './call-events.js';

/**
 * The event in a text of CALL_EVENTS_TOPIC; undefined for anything else, as anybody in the room may publish there. Of the event
 * only `type` and `at` are checked.
 */
export function readCallEvent<T extends CallEvent = CallEvent>(text: string): T | undefined {
  try {
    const event = JSON.parse(text) as Partial<T> | null;
    return typeof event?.type === 'string' && typeof event.at === 'number'
      ? (event as T)
      : undefined;
  } catch {
    return undefined;
  }
}
