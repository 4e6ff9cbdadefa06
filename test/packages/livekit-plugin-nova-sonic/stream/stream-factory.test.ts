// SPDX-License-Identifier: Apache-2.0
import { expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import { resolveOptions } from '../../../../packages/livekit-plugin-nova-sonic/src/options.js';
import { createStreamFactory } from '../../../../packages/livekit-plugin-nova-sonic/src/stream/stream-factory.js';
import { settle } from '../../../support/manual-clock.js';
import { SteppedClock } from '../support/clocks.js';

initializeLogger({ pretty: false, level: 'silent' });

test('each time of a stream is the one that is set for it', async () => {
  const clock = new SteppedClock();
  // Takes the request and nothing of it.
  const stuck = { send: () => new Promise<never>(() => {}) } as never;
  const open = createStreamFactory(
    resolveOptions({
      region: 'us-east-1',
      client: stuck,
      clock,
      timeouts: { firstEvent: 9_000, close: 1_000 },
    }),
  );
  const log: string[] = [];
  const note = (what: string) => log.push(`${what} at ${clock.now() - begun}`);
  const begun = clock.now();
  const stream = open(
    's',
    { name: 'main', region: 'us-east-1' },
    {
      opened: () => note('opened'),
      received: () => note('received'),
      sent: () => note('sent'),
      ended: (error) => note(`${error?.kind}`),
      closing: () => [{ event: { sessionEnd: {} } }],
      cut: () => note('cut'),
    },
  );
  await settle();
  expect([stream.id, stream.lane, stream.region]).toEqual(['s', 'main', 'us-east-1']);
  stream.write([{ event: { sessionStart: {} } }]);
  expect(stream.stalled(begun + 5_000)).toBeUndefined();
  expect(stream.stalled(begun + 5_001)).toBe(5_001);
  clock.advance(20_000);
  expect(log).toEqual(['no_response at 9000', 'cut at 10000']);
});
