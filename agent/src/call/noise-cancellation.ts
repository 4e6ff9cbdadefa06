// SPDX-License-Identifier: Apache-2.0

import { log } from '@livekit/agents';
import {
  type AudioFrame,
  type FrameProcessor,
  isFrameProcessor,
  type NoiseCancellationOptions,
} from '@livekit/rtc-node';
import { RnnoiseProcessor } from './rnnoise.js';

/**
 * What takes the noise out of the caller's audio: `rnnoise`, which runs in the worker for free; `off`; or LiveKit's own
 * option, as `BackgroundVoiceCancellation()` of @livekit/noise-cancellation-node (LiveKit Cloud only) or a frame processor.
 */
export type NoiseCancellation =
  | 'off'
  | 'rnnoise'
  | NoiseCancellationOptions
  | FrameProcessor<AudioFrame>;

/** Options of LiveKit's `AudioStream` for one track. */
export interface TrackOptions {
  noiseCancellation?: NoiseCancellationOptions | FrameProcessor<AudioFrame>;
  /** Whether the processor ends with the track. */
  autoCloseNoiseCancellation?: boolean;
}

/** Noise cancellation for all tracks of a call. */
export interface CallNoiseCancellation {
  /** For one more track. */
  forTrack(): TrackOptions;
  /** Ends a processor that `assistant.ts` gave. */
  close(): void;
}

const OFF: CallNoiseCancellation = { forTrack: () => ({}), close: () => {} };

/** Loads what is needed. When that fails the caller is heard as they are. */
export async function prepareNoiseCancellation(
  chosen: NoiseCancellation,
): Promise<CallNoiseCancellation> {
  if (chosen === 'off') return OFF;
  if (chosen !== 'rnnoise')
    return {
      // A processor of yours stays the same when the caller's track is replaced, as in LiveKit's own input.
      forTrack: () => ({ noiseCancellation: chosen, autoCloseNoiseCancellation: false }),
      close: () => {
        if (isFrameProcessor<FrameProcessor<AudioFrame>>(chosen)) chosen.close();
      },
    };
  try {
    const create = await RnnoiseProcessor.load();
    return { ...OFF, forTrack: () => ({ noiseCancellation: create() }) };
  } catch (error) {
    log().error({ error }, 'failed to load noise cancellation, caller is heard with noise');
    return OFF;
  }
}
