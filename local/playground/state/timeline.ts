// SPDX-License-Identifier: Apache-2.0

import type { Speaker } from './speaker.js';

/** A time in which somebody spoke; without `to` they still do. */
export interface Span {
  who: Speaker;
  from: number;
  to?: number;
}

export interface Mark {
  /** Its number in the call. */
  id: number;
  at: number;
  kind: 'barge_in' | 'tool' | 'typed' | 'stream' | 'link' | 'error';
  text: string;
}

export interface Timeline {
  spans: readonly Span[];
  marks: readonly Mark[];
}

/** Somebody began or stopped to speak; without `who`, everybody stopped. */
export function state(timeline: Timeline, at: number, who?: Speaker, speaking = false): Timeline {
  const open = (span: Span) => span.to === undefined && (who === undefined || span.who === who);
  if (speaking && timeline.spans.some(open)) return timeline;
  if (speaking && who) return { ...timeline, spans: [...timeline.spans, { who, from: at }] };
  if (!timeline.spans.some(open)) return timeline;
  return {
    ...timeline,
    spans: timeline.spans.map((span) =>
      open(span) ? { ...span, to: Math.max(at, span.from) } : span,
    ),
  };
}

export function marked(timeline: Timeline, mark: Omit<Mark, 'id'>): Timeline {
  const id = timeline.marks.length;
  return { ...timeline, marks: [...timeline.marks, { id, ...mark }] };
}
