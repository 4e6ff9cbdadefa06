// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';

/** The metadata of a dispatch: what its JSON says, or the text where it is none. Never throws. */
export function parseMetadata(metadata: string): unknown {
  if (!metadata) return '';
  try {
    return JSON.parse(metadata);
  } catch {
    log().debug('dispatch metadata is not JSON, passed on as text');
    return metadata;
  }
}
