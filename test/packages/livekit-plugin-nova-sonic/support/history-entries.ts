// SPDX-License-Identifier: Apache-2.0
import type { HistoryEntry } from '../../../../packages/livekit-plugin-nova-sonic/src/history/entries.js';

let n = 0;

/** What the user said, later than all entries before. */
export const userEntry = (text: string): HistoryEntry => ({
  kind: 'user',
  id: `u${++n}`,
  at: n,
  text,
});

/** What the assistant said, later than all entries before. */
export const assistantEntry = (text: string): HistoryEntry => ({
  kind: 'assistant',
  id: `a${++n}`,
  at: n,
  text,
  interrupted: false,
});

/** A call of a tool, later than all entries before. */
export const callEntry = (id: string, name: string, args = '{}'): HistoryEntry => ({
  kind: 'tool_call',
  id: `call-${id}`,
  at: ++n,
  callId: id,
  name,
  args,
});

/** What the tool returned. */
export const resultEntry = (id: string, output: string): HistoryEntry => ({
  kind: 'tool_result',
  id: `result-${id}`,
  at: ++n,
  callId: id,
  name: 'x',
  output,
  isError: false,
});
