// SPDX-License-Identifier: Apache-2.0

import type { PublishedBedrockEvent } from '../../../agent/src/call/call-events.js';

export type { PublishedBedrockEvent };

/** An event with its position in the call: several of one name may arrive in one millisecond. */
export interface NumberedEvent extends PublishedBedrockEvent {
  id: number;
}

export function appendEvents(
  before: readonly NumberedEvent[],
  more: readonly PublishedBedrockEvent[],
): NumberedEvent[] {
  return [...before, ...more.map((event, i) => ({ ...event, id: before.length + i }))];
}

export interface BedrockEventFilter {
  direction: 'both' | 'in' | 'out';
  /** Name of an event, or '' for all. */
  name: string;
  /** Text that the event contains, regardless of case. */
  search: string;
  /** Whether to show audio events, which are most of a call. */
  audio: boolean;
}

export const isAudio = ({ name }: PublishedBedrockEvent) =>
  name === 'audioInput' || name === 'audioOutput';

export function filterEvents<T extends PublishedBedrockEvent>(
  events: readonly T[],
  filter: BedrockEventFilter,
): T[] {
  const search = filter.search.trim().toLowerCase();
  return events.filter(
    (event) =>
      (filter.direction === 'both' || event.direction === filter.direction) &&
      (filter.name === '' || event.name === filter.name) &&
      // A filter by name shows audio events, too.
      (filter.audio || filter.name !== '' || !isAudio(event)) &&
      (search === '' ||
        `${event.name} ${event.streamId} ${JSON.stringify(event.event)}`
          .toLowerCase()
          .includes(search)),
  );
}

/** Sums up an event in a few words. */
export function summarizeEvent({ name, event, count }: PublishedBedrockEvent): string {
  const of = (key: string) => (typeof event[key] === 'string' ? (event[key] as string) : undefined);
  if (name === 'audioInput' || name === 'audioOutput')
    return `${of('content') ?? ''}${count && count > 1 ? ` × ${count}` : ''}`;
  if (name === 'usageEvent')
    return `${event.totalInputTokens ?? '?'} in · ${event.totalOutputTokens ?? '?'} out`;
  const parts = [
    of('role'),
    of('type'),
    generationStage(of('additionalModelFields')),
    of('toolName'),
    of('stopReason'),
    of('content'),
  ];
  return parts.filter(Boolean).join(' · ');
}

function generationStage(fields: string | undefined): string | undefined {
  return fields && /"generationStage"\s*:\s*"(\w+)"/.exec(fields)?.[1];
}

/**
 * The events as JSON lines, which `npm run emulator -- validate FILE` reads. Audio events that were published as one
 * become separate events again.
 */
export function toJsonLines(events: readonly PublishedBedrockEvent[]): string {
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
