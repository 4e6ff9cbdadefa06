// SPDX-License-Identifier: Apache-2.0

import { memo, type RefObject, useEffect, useRef } from 'react';
import type { CallState } from '../../state/call-state.js';
import type { Mark, Span } from '../../state/call-timeline.js';
import { formatClock } from '../format.js';
import { ScrollRegion } from './scroll-region.js';
import { useNow } from './use-current-time.js';

const PX_PER_SECOND = 26;
/** Room after the present for the text of the last mark. */
const AHEAD_S = 7;
const TICK_S = 5;
const NOTHING = { spans: [], marks: [] };
const LANE = { you: 26, agent: 50 } as const;
const LANE_HEIGHT = 16;
const HEIGHT = 112;
const SYMBOLS: Record<Mark['kind'], string> = {
  barge_in: '⚡',
  tool: '⚙',
  typed: '⌨',
  stream: '⇄',
  connection: '⌁',
  error: '!',
};

/** Shows who spoke when, and other events of the call. Follows the present; scrolls. */
export function TimelinePanel(props: { call: CallState | undefined; running: boolean }) {
  const { call, running } = props;
  const now = useNow(running);
  const scroll = useRef<HTMLElement>(null);
  const from = call?.answeredAt ?? call?.startedAt ?? now;
  const to = call?.endedAt ?? Math.max(now, from);
  const seconds = call ? (to - from) / 1000 : 0;
  const width = Math.ceil((seconds + AHEAD_S) * PX_PER_SECOND);
  const follow = useFollow(scroll, width, running);
  const { spans, marks } = call?.timeline ?? NOTHING;
  return (
    <section className="timeline" aria-labelledby="timeline">
      <h2 id="timeline">Timeline</h2>
      {call && (
        <div className="lanes" aria-hidden="true">
          <span className="you">You</span>
          <span className="agent">Agent</span>
        </div>
      )}
      <ScrollRegion
        className="scroll"
        ref={scroll}
        onScroll={follow}
        label="Timeline of the call, scrolls horizontally"
      >
        {call ? (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label="Diagram of the timeline; the list below has the same events"
          >
            <Ticks count={Math.floor((seconds + AHEAD_S - 1) / TICK_S) + 1} />
            {spans.map((span) => (
              <Bar
                key={`${span.who}${span.from}`}
                span={span}
                from={from}
                // The others have an end, and are not drawn again.
                now={span.to === undefined ? to : 0}
              />
            ))}
            <Marks marks={marks} from={from} />
            {running && (
              <line className="now" x1={place(now, from)} x2={place(now, from)} y1={18} y2={72} />
            )}
          </svg>
        ) : (
          <p className="empty">Who speaks when, tool calls, interruptions and errors.</p>
        )}
      </ScrollRegion>
      <MarkList marks={marks} from={from} />
    </section>
  );
}

/** X of a time; px. */
const place = (at: number, from: number) => Math.max(0, ((at - from) / 1000) * PX_PER_SECOND);

// The present moves four times a second: what has happened is drawn once, however long the call.
const Marks = memo(function Marks({ marks, from }: { marks: readonly Mark[]; from: number }) {
  return rowsOf(marks, (at) => place(at, from)).map(({ mark, left, row }) => (
    <g key={mark.id} className={`mark ${mark.kind}`}>
      <title>{`${formatClock(mark.at - from)} ${mark.text}`}</title>
      <line x1={left} x2={left} y1={20} y2={78 + row * 14} />
      <text x={left + 4} y={84 + row * 14}>
        {SYMBOLS[mark.kind]} {short(mark.text)}
      </text>
    </g>
  ));
});

const MarkList = memo(function MarkList({ marks, from }: { marks: readonly Mark[]; from: number }) {
  return (
    <ol className="sr-only" aria-label="Events of the call">
      {marks.map((mark) => (
        <li key={mark.id}>
          {formatClock(mark.at - from)} {mark.text}
        </li>
      ))}
    </ol>
  );
});

/** @param count the last one only where its text fits */
const Ticks = memo(function Ticks({ count }: { count: number }) {
  const ticks = Array.from({ length: count }, (_, i) => i * TICK_S);
  return ticks.map((second) => (
    <g key={second} className="tick">
      <line x1={second * PX_PER_SECOND + 0.5} x2={second * PX_PER_SECOND + 0.5} y1={16} y2={72} />
      <text
        x={second * PX_PER_SECOND + (second ? 0 : 2)}
        y={11}
        textAnchor={second ? 'middle' : 'start'}
      >
        {formatClock(second * 1000)}
      </text>
    </g>
  ));
});

const Bar = memo(function Bar(props: { span: Span; from: number; now: number }) {
  const { span, from, now } = props;
  const left = place(span.from, from);
  return (
    <rect
      className={`bar ${span.who}`}
      x={left}
      y={LANE[span.who]}
      width={Math.max(2, place(span.to ?? now, from) - left)}
      height={LANE_HEIGHT}
      rx={4}
    />
  );
});

const short = (text: string) => (text.length > 28 ? `${text.slice(0, 27)}…` : text);

/** Puts the text of each mark into the first of three rows where it does not overlap the text before. */
function rowsOf(marks: readonly Mark[], x: (at: number) => number) {
  const ends = [0, 0, 0];
  return [...marks]
    .sort((a, b) => a.at - b.at)
    .map((mark) => {
      const left = x(mark.at);
      const free = ends.findIndex((end) => end <= left);
      const row = free < 0 ? ends.indexOf(Math.min(...ends)) : free;
      ends[row] = left + 24 + short(mark.text).length * 6.2;
      return { mark, left, row };
    });
}

/** Keeps the present in view, until the user scrolls back. */
function useFollow(ref: RefObject<HTMLElement | null>, width: number, running: boolean) {
  const following = useRef(true);
  useEffect(() => {
    const scroll = ref.current;
    if (scroll && running && following.current && width > 0) scroll.scrollLeft = scroll.scrollWidth;
  }, [ref, width, running]);
  return () => {
    const scroll = ref.current;
    if (scroll)
      following.current = scroll.scrollWidth - scroll.scrollLeft - scroll.clientWidth < 60;
  };
}
