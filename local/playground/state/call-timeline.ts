// SPDX-License-Identifier: Apache-2.0

import type { CallSide } from './call-side.js';

/** A time in which somebody spoke; without `to` they still do. */
export interface Span {
  who: CallSide;
  from: number;
  to?: number;
}

export type MarkKind = 'barge_in' | 'tool' | 'typed' | 'stream' | 'connection' | 'error';

export interface Mark {
  /** Its number in the call. */
  id: number;
  at: number;
  kind: MarkKind;
  text: string;
}

export interface Timeline {
  spans: readonly Span[];
  marks: readonly Mark[];
}

/** Somebody started or stopped speaking. */
export function setSpeaking(
  timeline: Timeline,
  who: CallSide,
  speaking: boolean,
  at: number,
): Timeline {
  if (!speaking) return closeSpans(timeline, at, (span) => span.who === who);
  const alreadySpeaking = timeline.spans.some((span) => span.to === undefined && span.who === who);
  if (alreadySpeaking) return timeline;
  return { ...timeline, spans: [...timeline.spans, { who, from: at }] };
}

/** Everybody stopped speaking. */
export function stopSpeaking(timeline: Timeline, at: number): Timeline {
  return closeSpans(timeline, at, () => true);
}

function closeSpans(timeline: Timeline, at: number, matches: (span: Span) => boolean): Timeline {
  const spans = timeline.spans.map((span) =>
    span.to === undefined && matches(span) ? { ...span, to: Math.max(at, span.from) } : span,
  );
  return { ...timeline, spans };
}

export function addMark(timeline: Timeline, mark: Omit<Mark, 'id'>): Timeline {
  const id = timeline.marks.length;
  return { ...timeline, marks: [...timeline.marks, { id, ...mark }] };
}
