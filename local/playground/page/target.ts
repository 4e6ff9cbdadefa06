// SPDX-License-Identifier: Apache-2.0

/** What the page talks to; the local server knows it. */
export interface Target {
  kind: 'emulator' | 'bedrock' | 'stack';
  /** For display, for example "the emulator on this machine". */
  name: string;
  /** URL of the LiveKit server. */
  livekit: string;
  /** '' when the agent takes any call. */
  agentName: string;
}
