// SPDX-License-Identifier: Apache-2.0

/** Address and API key of a LiveKit server. */
export interface LiveKitConnection {
  /** `ws://` or `wss://`, with port. */
  url: string;
  apiKey: string;
  apiSecret: string;
}
