// SPDX-License-Identifier: Apache-2.0

import { type KeyboardEvent, useMemo, useState } from 'react';
import {
  gist,
  jsonLines,
  matching,
  type NumberedEvent,
  type PublishedBedrockEvent,
  type WireFilter,
} from '../../state/bedrock-events.js';
import { sound } from '../call-controller.js';
import { callName, count, download } from '../format.js';
import { type PhoneState, wire } from '../state.js';
import { useStore } from '../store.js';
import { Icon } from './icon.js';
import { ScrollRegion } from './scroll-region.js';

/** The newest are shown; the file has all of them. */
const SHOWN = 400;

/** What went over Bedrock's stream, for engineers: closed until it is wanted. */
export function WireView({ state: { record, taped, target } }: { state: PhoneState }) {
  const events = useStore(wire);
  const [open, setOpen] = useState(false);
  const name = callName(record?.startedAt ?? Date.now());
  return (
    <section className="wire" aria-label="The wire and downloads">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          The wire <span className="note">the Sonic events of this call, both ways</span>
        </summary>
        {open && (
          <Events
            events={events}
            on={record?.about?.wire}
            deployed={target?.kind === 'stack'}
            from={record?.answeredAt ?? record?.startedAt ?? 0}
          />
        )}
      </details>
      <div className="downloads">
        <button
          type="button"
          className="small"
          disabled={events.length === 0}
          onClick={() =>
            download(
              `${name}.jsonl`,
              new Blob([jsonLines(events)], { type: 'application/x-ndjson' }),
            )
          }
        >
          <Icon name="download" /> Events (JSON lines)
        </button>
        <button
          type="button"
          className="small"
          disabled={!taped}
          onClick={() => {
            const wav = sound();
            if (wav) download(`${name}.wav`, wav);
          }}
        >
          <Icon name="download" /> Sound (WAV)
        </button>
      </div>
    </section>
  );
}

interface EventsProps {
  events: readonly NumberedEvent[];
  on: boolean | undefined;
  deployed: boolean;
  from: number;
}

function Events({ events, on, deployed, from }: EventsProps) {
  const [filter, setFilter] = useState<WireFilter>({
    direction: 'both',
    name: '',
    search: '',
    audio: false,
  });
  const names = useMemo(() => [...new Set(events.map(({ name }) => name))].sort(), [events]);
  const found = useMemo(() => matching(events, filter), [events, filter]);
  const set = (part: Partial<WireFilter>) => setFilter({ ...filter, ...part });
  if (on === false)
    return (
      <p className="off">
        This agent does not tell its wire, since it carries what people say. To see it,{' '}
        {deployed ? (
          <>
            deploy with <code>{`-c 'environment={"PUBLISH_BEDROCK_EVENTS":"true"}'`}</code>
          </>
        ) : (
          <>
            start the worker with <code>PUBLISH_BEDROCK_EVENTS=true</code>
          </>
        )}{' '}
        and call again.
      </p>
    );
  return (
    <div className="events">
      <form className="filter" onSubmit={(event) => event.preventDefault()}>
        <label>
          Direction
          <select
            value={filter.direction}
            onChange={(event) => set({ direction: event.target.value as WireFilter['direction'] })}
          >
            <option value="both">both</option>
            <option value="in">to the model</option>
            <option value="out">from the model</option>
          </select>
        </label>
        <label>
          Event
          <select value={filter.name} onChange={(event) => set({ name: event.target.value })}>
            <option value="">all</option>
            {names.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </select>
        </label>
        <label className="search">
          Search
          <input
            type="search"
            value={filter.search}
            onChange={(event) => set({ search: event.target.value })}
          />
        </label>
        <label className="tick">
          <input
            type="checkbox"
            checked={filter.audio}
            onChange={(event) => set({ audio: event.target.checked })}
          />
          audio
        </label>
        <p className="found" role="status">
          {count(found.length)} of {count(events.length)}
        </p>
      </form>
      <ScrollRegion
        className="list"
        label="Events, newest first; the arrow keys go through them"
        onKeyDown={byArrows}
      >
        <ol>
          {found
            .slice(-SHOWN)
            .reverse()
            .map((event) => (
              <Event key={event.id} event={event} from={from} />
            ))}
        </ol>
        {found.length > SHOWN && (
          <p className="note">The {count(SHOWN)} newest are shown; the download has all of them.</p>
        )}
        {found.length === 0 && (
          <p className="note">{events.length ? 'No event matches.' : 'No event yet.'}</p>
        )}
      </ScrollRegion>
    </div>
  );
}

/** Hundreds of events are one stop of the Tab key: the arrow keys go through them. */
function byArrows(event: KeyboardEvent<HTMLElement>): void {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const summaries = [...event.currentTarget.querySelectorAll('summary')];
  const now = summaries.indexOf(document.activeElement as HTMLElement);
  const next = step && summaries[Math.max(0, now + step)];
  if (!next) return;
  event.preventDefault();
  next.focus();
}

function Event({ event, from }: { event: PublishedBedrockEvent; from: number }) {
  const [open, setOpen] = useState(false);
  const to = event.direction === 'in';
  return (
    <li className={event.direction}>
      <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
        <summary tabIndex={-1}>
          <time>{((event.at - from) / 1000).toFixed(3)}</time>
          <span className="way">
            <span aria-hidden="true">{to ? '→' : '←'}</span>
            <span className="sr-only">{to ? 'to the model' : 'from the model'}</span>
          </span>
          <b>{event.name}</b>
          <span className="gist">{gist(event)}</span>
        </summary>
        {open && <pre>{JSON.stringify(event.event, null, 2)}</pre>}
      </details>
    </li>
  );
}
