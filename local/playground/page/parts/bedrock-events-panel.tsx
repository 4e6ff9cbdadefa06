// SPDX-License-Identifier: Apache-2.0

import { type KeyboardEvent, useMemo, useState } from 'react';
import {
  type BedrockEventFilter,
  filterEvents,
  type NumberedEvent,
  type PublishedBedrockEvent,
  summarizeEvent,
  toJsonLines,
} from '../../state/bedrock-events.js';
import { callController } from '../call-controller.js';
import { callFileName, download, formatCount } from '../format.js';
import { bedrockEvents, type PageState } from '../page-state.js';
import { useStore } from '../store.js';
import { Icon } from './icon.js';
import { ScrollRegion } from './scroll-region.js';

/** Only the newest are shown; the download has all of them. */
const MAX_SHOWN = 400;

/** The events of Bedrock's stream, for engineers (collapsed at first), and the downloads. */
export function BedrockEventsPanel({ state }: { state: PageState }) {
  const { call, recorded, target } = state;
  const events = useStore(bedrockEvents);
  const [open, setOpen] = useState(false);
  const name = callFileName(call?.startedAt ?? Date.now());
  return (
    <section className="bedrock-events" aria-label="Bedrock events and downloads">
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>
          Bedrock events <span className="note">sent and received in this call</span>
        </summary>
        {open && (
          <Events
            events={events}
            published={call?.agent?.publishesBedrockEvents}
            deployed={target?.kind === 'stack'}
            from={call?.answeredAt ?? call?.startedAt ?? 0}
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
              new Blob([toJsonLines(events)], { type: 'application/x-ndjson' }),
            )
          }
        >
          <Icon name="download" /> Events (JSON lines)
        </button>
        <button
          type="button"
          className="small"
          disabled={!recorded}
          onClick={() => {
            const wav = callController.recording();
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
  /** Undefined until the agent has joined. */
  published: boolean | undefined;
  deployed: boolean;
  from: number;
}

function Events({ events, published, deployed, from }: EventsProps) {
  const [filter, setFilter] = useState<BedrockEventFilter>({
    direction: 'both',
    name: '',
    search: '',
    audio: false,
  });
  const names = useMemo(() => [...new Set(events.map(({ name }) => name))].sort(), [events]);
  const found = useMemo(() => filterEvents(events, filter), [events, filter]);
  const set = (part: Partial<BedrockEventFilter>) => setFilter({ ...filter, ...part });
  if (published === false)
    return (
      <p className="off">
        This agent does not publish its Bedrock events, because they contain speech and prompts. To
        see them,{' '}
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
            onChange={(event) =>
              set({ direction: event.target.value as BedrockEventFilter['direction'] })
            }
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
          {formatCount(found.length)} of {formatCount(events.length)}
        </p>
      </form>
      <ScrollRegion
        className="list"
        label="Events, newest first; use the arrow keys"
        onKeyDown={moveByArrowKeys}
      >
        <ol>
          {found
            .slice(-MAX_SHOWN)
            .reverse()
            .map((event) => (
              <Event key={event.id} event={event} from={from} />
            ))}
        </ol>
        {found.length > MAX_SHOWN && (
          <p className="note">
            The {formatCount(MAX_SHOWN)} newest are shown; the download contains all.
          </p>
        )}
        {found.length === 0 && (
          <p className="note">{events.length ? 'No event matches.' : 'No events yet.'}</p>
        )}
      </ScrollRegion>
    </div>
  );
}

/** The whole list is one stop of the Tab key; the arrow keys move between its events. */
function moveByArrowKeys(event: KeyboardEvent<HTMLElement>): void {
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
  const toModel = event.direction === 'in';
  return (
    <li className={event.direction}>
      <details onToggle={(toggled) => setOpen(toggled.currentTarget.open)}>
        <summary tabIndex={-1}>
          <time>{((event.at - from) / 1000).toFixed(3)}</time>
          <span className="direction">
            <span aria-hidden="true">{toModel ? '→' : '←'}</span>
            <span className="sr-only">{toModel ? 'to the model' : 'from the model'}</span>
          </span>
          <b>{event.name}</b>
          <span className="summary">{summarizeEvent(event)}</span>
        </summary>
        {open && <pre>{JSON.stringify(event.event, null, 2)}</pre>}
      </details>
    </li>
  );
}
