// SPDX-License-Identifier: Apache-2.0

import type { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { AudioSource } from '@livekit/rtc-node';

/** What of rtc-node's own binding is used here (@livekit/rtc-ffi-bindings 0.12.73). */
interface Bindings {
  FfiEvent: { fromBinary(data: Uint8Array): object };
  livekitInitialize(
    onEvent: (data: Uint8Array) => void,
    captureLogs: boolean,
    version: string,
  ): void;
}

/**
 * Keeps the native client of rtc-node from sending each line of its log, down to the finest level, to JavaScript as an
 * event that nobody reads (0.13.35, `ffi_client.ts`): ten calls that began together made 91,000 of them, which took
 * seconds of a core and hundreds of megabytes. It writes to stderr instead what RUST_LOG asks for, by default nothing.
 * For each process with rooms, before its first one. Never throws.
 * @returns false when rtc-node has another shape: everything works all the same, at that price
 */
export function stopNativeLogs(): boolean {
  process.env.RUST_LOG ??= 'off';
  try {
    // Makes the client, of which a process has one.
    void new AudioSource(16_000, 1).close();
    const client = (globalThis as { _ffiClientInstance?: EventEmitter })._ffiClientInstance;
    if (!client) return false;
    const main = createRequire(import.meta.url).resolve('@livekit/rtc-node');
    const bindings = createRequire(main)('@livekit/rtc-ffi-bindings') as Bindings;
    const { version } = JSON.parse(
      readFileSync(new URL('../package.json', `file://${main}`), 'utf8'),
    );
    // The same as the client's own, in its place.
    const onEvent = (data: Uint8Array) =>
      client.emit('ffi_event', bindings.FfiEvent.fromBinary(data));
    bindings.livekitInitialize(onEvent, false, version);
    return true;
  } catch {
    return false;
  }
}
