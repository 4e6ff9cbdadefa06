// SPDX-License-Identifier: Apache-2.0

import type { BedrockEvent, RealtimeSession } from 'livekit-plugin-nova-sonic';
import type { CallEventPublisher } from './call-event-publisher.js';
import type { PublishedBedrockEvent } from './call-events.js';

/** How long events are gathered, ms: one message of the feed for each event would be forty a second. */
const BATCH_MS = 250;

/** Tells the feed each event of Bedrock's streams, both ways. Only for engineers: it carries all that is said. */
export function publishBedrockEvents(sonic: RealtimeSession, feed: CallEventPublisher): void {
  let gathered: PublishedBedrockEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  const tell = () => {
    timer = undefined;
    feed.publish({ type: 'wire', events: gathered });
    gathered = [];
  };
  const take = (direction: PublishedBedrockEvent['direction']) => (event: BedrockEvent) => {
    addEvent(gathered, toPublishedEvent(direction, event));
    if (!timer) timer = setTimeout(tell, BATCH_MS);
  };
  sonic.on('bedrock_client_event_queued', take('in'));
  sonic.on('bedrock_server_event_received', take('out'));
}

/** Adds an event; audio that is like the one before joins it. */
export function addEvent(events: PublishedBedrockEvent[], event: PublishedBedrockEvent): void {
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
export function toPublishedEvent(
  direction: PublishedBedrockEvent['direction'],
  { streamId, at, name, event }: BedrockEvent,
): PublishedBedrockEvent {
  const body = (event[name] ?? event) as PublishedBedrockEvent['event'];
  const { content } = body;
  return {
    at,
    direction,
    streamId,
    name,
    event: typeof content === 'number' ? { ...body, content: `<${content} bytes>` } : body,
  };
}
