// SPDX-License-Identifier: Apache-2.0
import type { ResolvedOptions } from '../options.js';
import { createStreamClient } from './bedrock-client.js';
import { SonicStream, type StreamSink } from './sonic-stream.js';

/** Longest time that the SDK may leave what was written unread, in ms. */
const WRITE_STALL_MS = 5_000;

/** Opens a stream in a Region; everything else about it comes from the options. */
export type StreamFactory = (id: string, region: string, sink: StreamSink) => SonicStream;

export function createStreamFactory(options: ResolvedOptions): StreamFactory {
  return (id, region, sink) =>
    new SonicStream({
      id,
      region,
      sink,
      modelId: options.model,
      clock: options.clock,
      connect: (where) => createStreamClient(options, where),
      firstEventMs: options.timeouts.firstEvent,
      writeStallMs: WRITE_STALL_MS,
      closeMs: options.timeouts.close,
    });
}
