// SPDX-License-Identifier: Apache-2.0

/** What is used of ws (https://github.com/websockets/ws, MIT), the WebSocket client that LiveKit's own packages use. */
declare module 'ws' {
  export default class WebSocket {
    static readonly OPEN: 1;
    readonly readyState: number;
    constructor(
      url: string,
      options?: { headers?: Record<string, string>; handshakeTimeout?: number },
    );
    send(data: Uint8Array): void;
    close(): void;
    terminate(): void;
    on(event: 'message', listener: (data: Buffer) => void): this;
    on(event: 'close', listener: () => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }
}
