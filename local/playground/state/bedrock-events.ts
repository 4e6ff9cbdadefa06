// SPDX-License-Identifier: Apache-2.0

import type { PublishedBedrockEvent } from '../../../agent/src/call/call-events.js';

export type { PublishedBedrockEvent };

/** An event and its place in the call: several of one name may come in one millisecond. */
export interface NumberedEvent extends PublishedBedrockEvent {
  id: number;
}

export function numbered(
  before: readonly NumberedEvent[],
  more: readonly PublishedBedrockEvent[],
): NumberedEvent[] {
  return [...before, ...more.map((event, i) => ({ ...event, id: before.length + i }))];
}

/** What the reader wants to see of the wire. */
export interface WireFilter {
  direction: 'both' | 'in' | 'out';
  /** An event's name, or '' for all of them. */
  name: string;
  /** Text that the event holds, in any case. */
  search: string;
  /** Audio events are most of a call. */
  audio: boolean;
}

export const isAudio = ({ name }: PublishedBedrockEvent) =>
  name === 'audioInput' || name === 'audioOutput';

export function matching<T extends PublishedBedrockEvent>(
  events: readonly T[],
  filter: WireFilter,
): T[] {
  const search = filter.search.trim().toLowerCase();
  return events.filter(
    (event) =>
      (filter.direction === 'both' || event.direction === filter.direction) &&
      (filter.name === '' || event.name === filter.name) &&
      // Who asks for audio by name gets it.
      (filter.audio || filter.name !== '' || !isAudio(event)) &&
      (search === '' ||
        `${event.name} ${event.streamId} ${JSON.stringify(event.event)}`
          .toLowerCase()
          .includes(search)),
  );
}

/** The one thing in an event that a reader looks for. */
export function gist({ name, event, count }: PublishedBedrockEvent): string {
  const of = (key: string) => (typeof event[key] === 'string' ? (event[key] as string) : undefined);
  if (name === 'audioInput' || name === 'audioOutput')
    return `${of('content') ?? ''}${count && count > 1 ? ` × ${count}` : ''}`;
  if (name === 'usageEvent')
    return `${event.totalInputTokens ?? '?'} in · ${event.totalOutputTokens ?? '?'} out`;
  const parts = [
    of('role'),
    of('type'),
    stage(of('additionalModelFields')),
    of('toolName'),
    of('stopReason'),
    of('content'),
  ];
  return parts.filter(Boolean).join(' · ');
}

function stage(fields: string | undefined): string | undefined {
  return fields && /"generationStage"\s*:\s*"(\w+)"/.exec(fields)?.[1];
}

/** The call as JSON lines, as `npm run emulator -- validate FILE` reads them: a run of audio becomes events again. */
export function jsonLines(events: readonly PublishedBedrockEvent[]): string {
  const starts = new Map<string, number>();
  const lines: { time: number; line: string }[] = [];
  for (const { at, until, count = 1, direction, streamId, name, event } of events) {
    if (!starts.has(streamId)) starts.set(streamId, at);
    const start = starts.get(streamId) ?? at;
    for (let i = 0; i < count; i++) {
      const time = count === 1 ? at : at + (((until ?? at) - at) * i) / (count - 1);
      const recorded = { time, t: time - start, session: streamId, direction, name, event };
      lines.push({ time, line: JSON.stringify(recorded) });
    }
  }
  // Array.sort keeps the order of equal times.
  lines.sort((a, b) => a.time - b.time);
  return lines.map(({ line }) => `${line}\n`).join('');
}
