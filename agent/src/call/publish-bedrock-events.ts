// SPDX-License-Identifier: Apache-2.0

import type { BedrockEvent, RealtimeSession } from 'livekit-plugin-nova-sonic';
import type { CallEventPublisher } from './call-event-publisher.js';
import type { PublishedBedrockEvent } from './call-events.js';

/** Milliseconds of events in one message: a message for each event would be forty a second. */
const BATCH_MS = 250;

/** Publishes the events of the Bedrock streams, both ways. Only for engineers: they contain all that is said. */
export function publishBedrockEvents(
  session: RealtimeSession,
  publisher: CallEventPublisher,
): void {
  let batch: PublishedBedrockEvent[] = [];
  let timer: NodeJS.Timeout | undefined;
  const publish = () => {
    timer = undefined;
    publisher.publish({ type: 'wire', events: batch });
    batch = [];
  };
  const add = (direction: PublishedBedrockEvent['direction']) => (event: BedrockEvent) => {
    addEvent(batch, toPublishedEvent(direction, event));
    if (!timer) timer = setTimeout(publish, BATCH_MS);
  };
  session.on('bedrock_client_event_queued', add('in'));
  session.on('bedrock_server_event_received', add('out'));
}

/** Adds an event to a batch; audio of the same size as the event before is counted there. */
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

/** The format of the emulator's event log: the event's body, with `<640 bytes>` in place of audio. */
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
