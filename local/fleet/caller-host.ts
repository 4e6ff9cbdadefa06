// SPDX-License-Identifier: Apache-2.0

// A process that holds a few light callers. rtc-node hands every event to every room and stream of its process,
// so the cost of callers grows with the square of their number: a few in each of several processes are cheap.

import type { Line } from '../caller/caller.js';
import { LightCaller } from './light-caller.js';

/** What the parent asks of a caller; answered with the same `id`. */
export type HostRequest = { id: number; name: string } & (
  | { method: 'join'; args: [Line] }
  | { method: 'ask'; args: [question: Int16Array, ms: number] }
  | { method: 'listen'; args: [from: number, ms: number] }
  | { method: 'hangUp'; args: [] }
);

const callers = new Map<string, LightCaller>();

function callerOf(name: string): LightCaller {
  const known = callers.get(name);
  if (known) return known;
  const caller = new LightCaller(name);
  callers.set(name, caller);
  caller.on('feed', (message) => process.send?.({ name, event: 'feed', message }));
  caller.on('agent', (identity, present, at) =>
    process.send?.({ name, event: 'agent', identity, present, at }),
  );
  caller.on('reconnected', () => process.send?.({ name, event: 'reconnected' }));
  return caller;
}

process.on('message', (request: HostRequest) => {
  const { id, name } = request;
  void answer(request).then(
    (result) => process.send?.({ id, name, result }),
    (error: Error) => process.send?.({ id, name, error: error.message }),
  );
});
// The parent is gone: nobody listens any more.
process.on('disconnect', () => process.exit(0));

async function answer(request: HostRequest): Promise<unknown> {
  const caller = callerOf(request.name);
  switch (request.method) {
    case 'join':
      return caller.join(...request.args);
    case 'ask':
      return caller.ask(...request.args);
    case 'listen':
      return caller.listen(...request.args);
    case 'hangUp':
      callers.delete(request.name);
      return caller.hangUp();
  }
}
