// SPDX-License-Identifier: Apache-2.0

// Three accounts in two Regions with 5 streams each, and calls through LiveKit: what test/agent/lanes shows without it.

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { failoverDelays, metricSums } from '../../local/fleet/analysis.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { WorkerProcess } from '../../local/fleet/worker-process.js';
import { type Emulator, startEmulator } from '../../packages/nova-sonic-emulator/src/index.js';
import { toneSpeech } from '../packages/nova-sonic-emulator/support/tone-speech.js';
import { StsStandIn } from '../support/sts-service.js';
import {
  callThatHearsNobodyCanAnswer,
  connectAll,
  expectGoodCitizens,
  FLEET_PATIENCE_MS,
  untilCalls,
} from './fleet-support.js';

const REGIONS = ['us-east-1', 'us-west-2'];
const OWN = '000000000000';
const OTHERS = ['111111111111', '222222222222'];
const STREAMS = 5;
const FULL = Object.fromEntries(
  [OWN, ...OTHERS].flatMap((account) => REGIONS.map((r) => [`${account}/${r}`, STREAMS])),
);
const CALLS = 30;

const roleOf = (account: string) => `arn:aws:iam::${account}:role/voice-lane`;
const keyOf = (account: string) => ({ accessKeyId: `key-of-${account}`, secretAccessKey: account });
const LANES = REGIONS.flatMap((region) => [
  { region },
  ...OTHERS.map((account) => ({ region, role: roleOf(account) })),
]);

describe('3 accounts x 2 Regions x 5 streams', () => {
  let emulator: Emulator;
  let sts: StsStandIn;
  let fleet: Fleet;
  let worker: WorkerProcess;

  beforeAll(async () => {
    [emulator, sts] = await Promise.all([
      startEmulator({
        // Nobody speaks, and every cycle is needed for the calls.
        profile: 'fast',
        textToSpeech: toneSpeech,
        createVad: () => ({ predict: async () => 0 }),
        limits: { concurrentStreams: STREAMS },
        accounts: [OWN, ...OTHERS].map((account) => ({ account, ...keyOf(account) })),
      }),
      StsStandIn.start(Object.fromEntries(OTHERS.map((a) => [roleOf(a), keyOf(a)]))),
    ]);
    const own = keyOf(OWN);
    fleet = await Fleet.start({
      // A call more than there are streams: the last one is not for the waiting line.
      callsPerTask: CALLS + 1,
      env: {
        // Fewer processes to start.
        CALL_HOSTS: '2',
        CALLS_PER_PROCESS: '16',
        WAIT_FOR_STREAM_S: '6',
        AWS_ACCESS_KEY_ID: own.accessKeyId,
        AWS_SECRET_ACCESS_KEY: own.secretAccessKey,
        AWS_ENDPOINT_URL_STS: sts.url,
        AWS_ENDPOINT_URL_BEDROCK_RUNTIME: emulator.url,
        BEDROCK_LANES: JSON.stringify(LANES),
      },
    });
    [worker] = (await fleet.startWorkers(1)) as [WorkerProcess];
  }, 180_000);
  afterAll(async () => {
    await fleet?.stop();
    await Promise.all([emulator?.close(), sts?.stop()]);
  }, 30_000);

  /** Streams by account and Region, as the service counts them. */
  const streams = () => {
    const counts: Record<string, number> = {};
    for (const { account } of emulator.sessions()) counts[account] = (counts[account] ?? 0) + 1;
    return counts;
  };

  it('calls 1 to 30 are answered, one after the other', async () => {
    const callers: RemoteCaller[] = [];
    for (let i = 0; i < CALLS; i++) {
      const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
      callers.push(caller);
      await connectAll(fleet, [caller]);
      await caller.waitForEvent('stream', ({ event }) => event === 'opened', FLEET_PATIENCE_MS);
    }
    expect(streams()).toEqual(FULL);
    const greeted = callers.map((caller) =>
      caller.waitForEvent('message', ({ role }) => role === 'assistant', FLEET_PATIENCE_MS),
    );
    expect((await Promise.all(greeted)).filter(Boolean)).toHaveLength(CALLS);
    for (const caller of callers) expect((await caller.heard()).firstAt).toBeDefined();
    const delays = failoverDelays(callers);
    // The first Region cannot have carried them all.
    expect(delays.length).toBeGreaterThan(0);
    process.stderr.write(`added by a full lane, ms: ${delays.join(' ')}\n`);
  }, 300_000);

  it('number 31 hears that all lines are busy, then that nobody can answer, and is disconnected; the others go on', async () => {
    const { jobId } = await callThatHearsNobodyCanAnswer(fleet);
    await worker.waitForLine(
      ({ msg, call_id }) => msg === 'caller waits for a stream' && call_id === jobId,
      FLEET_PATIENCE_MS,
    );
    await untilCalls([worker], CALLS);
    expect(streams()).toEqual(FULL);
    expect(metricSums([worker])).toMatchObject({ CallsWithoutRegion: 1 });
    expectGoodCitizens([worker], CALLS + 1);
  }, 120_000);
});
