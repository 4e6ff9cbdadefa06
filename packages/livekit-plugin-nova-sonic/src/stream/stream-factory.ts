// SPDX-License-Identifier: Apache-2.0
import type { NamedLane } from '../lanes.js';
import type { ResolvedOptions } from '../options.js';
import { createStreamClient } from './bedrock-client.js';
import { SonicStream, type StreamSink } from './sonic-stream.js';

/** Longest time that the SDK may leave what was written unread, in ms. */
const WRITE_STALL_MS = 5_000;

/** Opens a stream in a lane; everything else about it comes from the options. */
export type StreamFactory = (id: string, lane: NamedLane, sink: StreamSink) => SonicStream;

export function createStreamFactory(options: ResolvedOptions): StreamFactory {
  return (id, lane, sink) =>
    new SonicStream({
      id,
      lane,
      sink,
      modelId: options.model,
      clock: options.clock,
      connect: () => createStreamClient(options, lane),
      firstEventMs: options.timeouts.firstEvent,
      writeStallMs: WRITE_STALL_MS,
      closeMs: options.timeouts.close,
    });
}
