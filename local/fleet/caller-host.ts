// SPDX-License-Identifier: Apache-2.0

// The program of a process that runs a few light callers. rtc-node delivers every event to every room and stream of
// its process, so the cost of callers grows with the square of their number: use several processes with a few each.

import { stopNativeLogs } from '../../agent/src/host/native-logs.js';
import type { CallerConditions } from '../caller/device.js';
import type { LiveKitConnection } from '../livekit/connection.js';
import { LightCaller } from './light-caller.js';

/** A request of the parent process to one caller; the response has the same `id`. */
export type HostRequest = { id: number; name: string } & (
  | { method: 'join'; args: [LiveKitConnection, CallerConditions] }
  | { method: 'openMicrophone'; args: [] }
  | { method: 'ask'; args: [question: Int16Array, ms: number] }
  | { method: 'listen'; args: [from: number, ms: number] }
  | { method: 'press'; args: [keys: string] }
  | { method: 'heard'; args: [] }
  | { method: 'hangUp'; args: [] }
);

stopNativeLogs();
const callers = new Map<string, LightCaller>();

function createCaller(name: string, options: CallerConditions): LightCaller {
  const caller = new LightCaller(name, options);
  callers.set(name, caller);
  caller.on('callEvent', (callEvent) => process.send?.({ name, event: 'callEvent', callEvent }));
  caller.on('agent', (identity, present, at) =>
    process.send?.({ name, event: 'agent', identity, present, at }),
  );
  caller.on('reconnected', () => process.send?.({ name, event: 'reconnected' }));
  caller.on('disconnected', (at) => process.send?.({ name, event: 'disconnected', at }));
  return caller;
}

process.on('message', (request: HostRequest) => {
  const { id, name } = request;
  void handleRequest(request).then(
    (result) => process.send?.({ id, name, result }),
    (error: Error) => process.send?.({ id, name, error: error.message }),
  );
});
// The parent process has ended.
process.on('disconnect', () => process.exit(0));

async function handleRequest(request: HostRequest): Promise<unknown> {
  if (request.method === 'join') {
    const [connection, options] = request.args;
    return createCaller(request.name, options).join(connection);
  }
  const caller = callers.get(request.name);
  switch (request.method) {
    case 'openMicrophone':
      return caller?.openMicrophone();
    case 'ask':
      return caller?.ask(...request.args);
    case 'listen':
      return caller?.listen(...request.args);
    case 'press':
      return caller?.press(...request.args);
    case 'heard':
      return caller?.heard();
    case 'hangUp':
      callers.delete(request.name);
      return caller?.hangUp();
  }
}
