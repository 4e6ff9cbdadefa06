// SPDX-License-Identifier: Apache-2.0

import type { NumberedEvent } from '../state/bedrock-events.js';
import type { CallState } from '../state/call-state.js';

const KEY = 'playground.call';
/** Browsers store up to 5 MB for a page. */
const MAX_CHARACTERS = 4_000_000;

interface KeptCall {
  call: CallState;
  bedrockEvents: readonly NumberedEvent[];
}

/** Keeps a call for the next page in this tab: reloading the page ends the call, but not its transcript. */
export function keepCall(call: CallState, bedrockEvents: readonly NumberedEvent[]): void {
  const ended = { ...call, endedAt: Date.now() };
  try {
    const all = JSON.stringify({ call: ended, bedrockEvents });
    const text =
      all.length < MAX_CHARACTERS ? all : JSON.stringify({ call: ended, bedrockEvents: [] });
    sessionStorage.setItem(KEY, text);
  } catch {
    // Storage is unavailable or full: the next page starts empty.
  }
}

/** Returns the kept call, once. */
export function takeKeptCall(): KeptCall | undefined {
  try {
    const text = sessionStorage.getItem(KEY);
    sessionStorage.removeItem(KEY);
    return text ? (JSON.parse(text) as KeptCall) : undefined;
  } catch {
    return undefined;
  }
}
