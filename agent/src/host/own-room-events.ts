// SPDX-License-Identifier: Apache-2.0

import type { Room } from '@livekit/rtc-node';

/** What a room of rtc-node has inside (0.13.35, `room.ts`), as far as it is used here. */
interface RoomInternals {
  /** Listener for all events of the native client; registered by `connect`. */
  onFfiEvent?: (event: FfiEvent) => unknown;
  /** Undefined until the room is connected. */
  ffiHandle?: { readonly handle: bigint };
  /** Events that came before, which wait for the next one. */
  preConnectEvents?: readonly unknown[];
}

interface FfiEvent {
  readonly message: { readonly case?: string; readonly value?: { readonly roomHandle?: bigint } };
}

/**
 * Hands a room its own events only. Each room gets all events of the native client, of which a process has one, and lets
 * each pass through a lock before it ignores it: with ten calls three quarters of a host's CPU went there (a hundred events
 * a second of each call's audio, to each of ten rooms). Leaves a room alone that has another shape.
 */
export function deliverOwnEvents(room: Room): void {
  const internals = room as unknown as RoomInternals;
  const { onFfiEvent } = internals;
  if (typeof onFfiEvent !== 'function' || !Array.isArray(internals.preConnectEvents)) return;
  internals.onFfiEvent = (event) => {
    const { ffiHandle, preConnectEvents } = internals;
    if (ffiHandle && preConnectEvents?.length) return onFfiEvent(event);
    const { case: kind, value } = event.message;
    // What a room does not ignore: calls of its methods, which are few, and what happens in it.
    if (kind === 'rpcMethodInvocation') return onFfiEvent(event);
    if (kind !== 'roomEvent') return undefined;
    if (ffiHandle && value?.roomHandle !== ffiHandle.handle) return undefined;
    return onFfiEvent(event);
  };
}
