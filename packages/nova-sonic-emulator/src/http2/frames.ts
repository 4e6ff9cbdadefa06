// SPDX-License-Identifier: Apache-2.0
import { crc32 } from 'node:zlib';
import { EventStreamCodec } from '@smithy/eventstream-codec';

/** A decoded message of application/vnd.amazon.eventstream. */
export type Message = ReturnType<EventStreamCodec['decode']>;

const decoder = new TextDecoder('utf-8', { fatal: true });
const encoder = new TextEncoder();
export const codec = new EventStreamCodec(
  (bytes) => decoder.decode(bytes as Uint8Array),
  (text) => encoder.encode(text as string),
);

/** A frame that cannot be read: broken lengths, checksums, headers or payload. */
export class FrameError extends Error {}

const PRELUDE = 12;
// The format allows 16 MiB of payload; no event of this protocol comes near 1 MiB.
const MAX_MESSAGE = 1 << 20;

/** Splits a byte stream into messages. An invalid prelude fails immediately, so nothing waits for bytes that never arrive. */
export class FrameReader {
  private pending: Buffer = Buffer.alloc(0);

  /** @throws FrameError on the first message that is not well formed. */
  *push(bytes: Buffer): Generator<Message> {
    this.pending = this.pending.length ? Buffer.concat([this.pending, bytes]) : bytes;
    while (this.pending.length >= PRELUDE) {
      const total = this.pending.readUInt32BE(0);
      if (this.pending.readUInt32BE(8) !== crc32(this.pending.subarray(0, 8))) {
        throw new FrameError('the checksum of the prelude is wrong');
      }
      if (total < PRELUDE + 4 || total > MAX_MESSAGE) {
        throw new FrameError(`a message of ${total} bytes`);
      }
      if (this.pending.length < total) return;
      const frame = this.pending.subarray(0, total);
      this.pending = this.pending.subarray(total);
      yield decode(frame);
    }
  }

  /** Bytes of a message that has not arrived whole. */
  get rest(): number {
    return this.pending.length;
  }
}

/** @throws FrameError */
export function decode(frame: Uint8Array): Message {
  try {
    return codec.decode(frame);
  } catch (error) {
    throw new FrameError((error as Error).message);
  }
}

/** The text of a string header, or undefined. */
export function header(message: Message, name: string): string | undefined {
  const value = message.headers[name];
  return value?.type === 'string' ? value.value : undefined;
}

const text = (value: string) => ({ type: 'string' as const, value });

/**
 * The event in an input message's inner message.
 *
 * @throws FrameError when it is not a `chunk` event with base64 `bytes` that hold JSON.
 */
export function readChunk(inner: Message): unknown {
  if (header(inner, ':message-type') !== 'event' || header(inner, ':event-type') !== 'chunk') {
    throw new FrameError('not a chunk event');
  }
  let bytes: unknown;
  try {
    bytes = JSON.parse(decoder.decode(inner.body)).bytes;
  } catch {
    throw new FrameError('the payload of the chunk is not JSON');
  }
  if (typeof bytes !== 'string') throw new FrameError('the chunk has no bytes');
  try {
    return JSON.parse(decoder.decode(Buffer.from(bytes, 'base64')));
  } catch {
    throw new FrameError('the bytes of the chunk are not JSON');
  }
}

/** Wraps an output event: `{"event":{…}}` as text. */
export function encodeChunk(json: string): Uint8Array {
  return codec.encode({
    headers: {
      ':event-type': text('chunk'),
      ':content-type': text('application/json'),
      ':message-type': text('event'),
    },
    body: encoder.encode(`{"bytes":"${Buffer.from(json).toString('base64')}"}`),
  });
}

/** Wraps an exception that ends the stream. */
export function encodeException(type: string, body: Record<string, unknown>): Uint8Array {
  return codec.encode({
    headers: {
      ':exception-type': text(type),
      ':content-type': text('application/json'),
      ':message-type': text('exception'),
    },
    body: encoder.encode(JSON.stringify(body)),
  });
}
