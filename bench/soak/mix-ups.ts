// SPDX-License-Identifier: Apache-2.0
import type { CallEvent } from '../../agent/src/call/call-events.js';
import type { LogLine } from '../../local/fleet/worker-process.js';

/** A call as its own caller saw it. */
export interface SeenCall {
  /** LiveKit's job id, `call_id` in the log. */
  readonly callId: string;
  /** What the agent published in its room, up to the end. */
  readonly events: readonly CallEvent[];
}

const JOB_ID = /\bAJ_\w+/g;
/** Fields of log lines whose value belongs to one call. */
const OWNED = ['room_sid', 'stream_id', 'streamId', 'responseId'] as const;

/**
 * Compares the log of a worker with what each caller saw: no line of a call may hold an id of another call, and the
 * figures of `call ended` must not be below those of the events in the call's own room: what was counted for another call is
 * missing here. More may have come after the caller had hung up.
 * @returns one sentence for each contradiction
 */
export function findMixUps(calls: readonly SeenCall[], log: readonly LogLine[]): string[] {
  return [...foreignIds(calls, log), ...calls.flatMap((call) => wrongFigures(call, log))];
}

function foreignIds(calls: readonly SeenCall[], log: readonly LogLine[]): string[] {
  const problems: string[] = [];
  /** Call of each id; of those that no room has told, the first call that logs them. */
  const owner = new Map<string, string>();
  for (const { callId, events } of calls)
    for (const event of events) {
      if (event.type === 'stream') owner.set(event.streamId, callId);
      if (event.type === 'turn') owner.set(event.responseId, callId);
    }
  for (const line of log) {
    const { call_id } = line;
    if (typeof call_id !== 'string') continue;
    const others = JSON.stringify(line).match(JOB_ID) ?? [];
    for (const id of others)
      if (id !== call_id) problems.push(`"${line.msg}" of ${call_id} names the call ${id}`);
    for (const field of OWNED) {
      const id = line[field];
      if (typeof id !== 'string' || id === '') continue;
      const of: string = owner.get(id) ?? call_id;
      owner.set(id, of);
      if (of !== call_id)
        problems.push(`"${line.msg}" of ${call_id} has the ${field} ${id} of ${of}`);
    }
  }
  return problems;
}

function wrongFigures({ callId, events }: SeenCall, log: readonly LogLine[]): string[] {
  const ended = log.filter(({ msg, call_id }) => msg === 'call ended' && call_id === callId);
  const [line] = ended;
  if (!line || ended.length > 1) return [`${callId} ended ${ended.length} times`];
  const streams = (name: string) =>
    events.filter((event) => event.type === 'stream' && event.event === name).length;
  const usage = events.findLast((event) => event.type === 'usage');
  const tokens = line.tokens as Record<string, number>;
  const figures: [name: string, logged: unknown, seen: number][] = [
    ['turns', line.turns, events.filter(({ type }) => type === 'turn').length],
    ['renewals', line.renewals, streams('renewed')],
    ['failovers', line.failovers, streams('failed_over')],
    ['input_speech', tokens.input_speech, usage?.audioIn ?? 0],
    ['output_speech', tokens.output_speech, usage?.audioOut ?? 0],
    ['input_text', tokens.input_text, usage?.textIn ?? 0],
    ['output_text', tokens.output_text, usage?.textOut ?? 0],
  ];
  return figures.flatMap(([name, logged, seen]) =>
    Number(logged) >= seen
      ? []
      : [`${callId} ended with ${name} ${logged}, and its room saw ${seen}`],
  );
}
