// SPDX-License-Identifier: Apache-2.0

import type { BedrockEvent, RealtimeSession } from 'livekit-plugin-nova-sonic';
import type { CallFeed, WireEvent } from './call-event-publisher.js';

/** How long events are gathered, ms: one message of the feed for each event would be forty a second. */
const GATHER_MS = 250;

/** Tells the feed each event of Bedrock's streams, both ways. Only for engineers: it carries all that is said. */
export function watchWire(sonic: RealtimeSession, feed: CallFeed): void {
  let gathered: WireEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    timer = undefined;
    feed.tell({ type: 'wire', events: gathered });
    gathered = [];
  };
  const take = (direction: WireEvent['direction']) => (event: BedrockEvent) => {
    gather(gathered, wireEvent(direction, event));
    if (!timer) timer = setTimeout(tell, GATHER_MS);
  };
  sonic.on('bedrock_client_event_queued', take('in'));
  sonic.on('bedrock_server_event_received', take('out'));
}

/** Adds an event; audio that is like the one before joins it. */
export function gather(events: WireEvent[], event: WireEvent): void {
  const last = events.findLast(({ direction }) => direction === event.direction);
  const audio = event.name === 'audioInput' || event.name === 'audioOutput';
  const same =
    audio &&
    last?.name === event.name &&
    last.streamId === event.streamId &&
    last.event.content === event.event.content;
  if (!same) {
    events.push(event);
    return;
  }
  last.count = (last.count ?? 1) + 1;
  last.until = event.at;
}

/** As the emulator's recordings have it: the event's body, and of audio `<640 bytes>`. */
export function wireEvent(
  direction: WireEvent['direction'],
  { streamId, at, name, event }: BedrockEvent,
): WireEvent {
  const body = (event[name] ?? event) as WireEvent['event'];
  const { content } = body;
  return {
    at,
    direction,
    streamId,
    name,
    event: typeof content === 'number' ? { ...body, content: `<${content} bytes>` } : body,
  };
}
