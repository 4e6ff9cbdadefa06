// SPDX-License-Identifier: Apache-2.0

// Three accounts in two Regions with 5 streams each: the worker's lanes and its memory of failures, the plugin, the
// unmodified AWS SDK, and stand-ins for STS and Bedrock. No LiveKit.

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import {
  type NovaSonicError,
  RealtimeModel,
  type RealtimeSession,
  type StreamLifecycle,
} from 'livekit-plugin-nova-sonic';
import { CallMetrics } from '../../../agent/src/job/call-metrics.js';
import { assumeRoles, forgetRoles } from '../../../agent/src/lanes/lane-credentials.js';
import { type BedrockLane, parseLanes } from '../../../agent/src/lanes/lane-list.js';
import { lanesOfCall } from '../../../agent/src/lanes/lanes-of-call.js';
import { LaneCooldowns } from '../../../agent/src/supervision/lane-cooldowns.js';
import { type Emulator, startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import { ManualClock } from '../../support/manual-clock.js';
import { StsStandIn } from '../../support/sts-service.js';
import { until } from '../../support/wait.js';

initializeLogger({ pretty: false, level: 'silent' });

const REGIONS = ['us-east-1', 'us-west-2'];
const OWN = '000000000000';
const OTHERS = ['111111111111', '222222222222'] as const;
const roleOf = (account: string) => `arn:aws:iam::${account}:role/voice-lane`;
const keyOf = (account: string) => ({ accessKeyId: `key-of-${account}`, secretAccessKey: account });
const LANES = parseLanes(
  JSON.stringify(
    REGIONS.flatMap((region) => [
      { region },
      ...OTHERS.map((account) => ({ region, role: roleOf(account) })),
    ]),
  ),
) as BedrockLane[];
const STREAMS = 5;

let emulator: Emulator;
let sts: StsStandIn;
let calls: Call[];
/** The task's memory of failures; its clock stands still, so that a cooldown ends only when the test says so. */
let clock: ManualClock;
let cooldowns: LaneCooldowns;
const environment = { ...process.env };

beforeEach(async () => {
  emulator = await startEmulator({
    profile: 'fast',
    limits: { concurrentStreams: STREAMS },
    accounts: [OWN, ...OTHERS].map((account) => ({ account, ...keyOf(account) })),
    createVad: () => ({ predict: async () => 0 }),
  });
  sts = await StsStandIn.start(
    Object.fromEntries(OTHERS.map((account) => [roleOf(account), keyOf(account)])),
  );
  const own = keyOf(OWN);
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: own.accessKeyId,
    AWS_SECRET_ACCESS_KEY: own.secretAccessKey,
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_STS: sts.url,
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: emulator.url,
  });
  calls = [];
  clock = new ManualClock();
  cooldowns = new LaneCooldowns(clock);
  forgetRoles();
});

afterEach(async () => {
  await Promise.all(calls.map(({ session }) => session.close()));
  await emulator.close();
  await sts.stop();
  for (const name of Object.keys(process.env)) delete process.env[name];
  Object.assign(process.env, environment);
});

const supervisor = {
  reportConnect: (outcome: Parameters<LaneCooldowns['record']>[0]) =>
    void cooldowns.record(outcome),
};

/** As SupervisorClient, but a cooldown ends with the clock of the test. */
const cooldownUntil = (lane: string) => {
  const leftMs = cooldowns.failed[lane];
  return leftMs === 0 ? 0 : leftMs && Number.POSITIVE_INFINITY;
};

interface Call {
  session: RealtimeSession;
  streams: StreamLifecycle[];
  metrics: [string, string | undefined][];
  /** The lane that answered, or what the call is ended with. */
  outcome: Promise<string>;
}

/** Longer than any machine stops: a call that waited before it tries the next lane would not be done by then. */
const NEVER_MS = 60_000;

/**
 * A call as the agent makes it.
 * @param random 0: it begins with the first of the lanes that are equal for it
 * @param delayMs first pause before a lane that failed is tried again
 */
function call(random = 0, delayMs = 500): Call {
  const model = new RealtimeModel({
    lanes: lanesOfCall(LANES, cooldownUntil, () => random),
    retry: {
      // By default one more, which waits for the limit of connects in 12 s.
      maxAttempts: LANES.length + 1,
      baseDelayMs: delayMs,
      maxDelayMs: Math.max(delayMs, 8_000),
      cooldownUntil,
    },
    voiceActivityDetector: () => ({ predict: () => 0 }),
  });
  const session = model.session();
  const streams: StreamLifecycle[] = [];
  const metrics: Call['metrics'] = [];
  session.on('stream_lifecycle', (event) => streams.push(event));
  new CallMetrics(
    'call',
    {
      addMetric: (name, _value, split) => void metrics.push([name, split]),
      reportStream: () => {},
      reportCaller: () => {},
      keep: () => {},
      ended: () => {},
    },
    supervisor,
  ).observeRealtimeSession(session);
  const outcome = new Promise<string>((resolve) => {
    session.on('stream_lifecycle', ({ type, lane }) => type === 'opened' && resolve(lane));
    session.on('error', ({ error, recoverable }) => {
      if (!recoverable) resolve((error as NovaSonicError).message);
    });
  });
  session.initializeStreams();
  const made = { session, streams, metrics, outcome };
  calls.push(made);
  return made;
}

/** Streams by account and Region, as the service counts them. */
const streams = () => {
  const counts: Record<string, number> = {};
  for (const { account } of emulator.sessions()) counts[account] = (counts[account] ?? 0) + 1;
  return counts;
};

const tried = ({ streams }: Call) =>
  streams.flatMap(({ type, lane }) => (type === 'opening' ? [lane] : []));

describe('3 accounts x 2 Regions x 5 streams', () => {
  test('calls 1 to 30 are answered, one after the other; number 31 ends with the words for a full house', async () => {
    await assumeRoles(LANES, supervisor);
    const answered: string[] = [];
    for (let i = 0; i < 30; i++) answered.push(await call(0, NEVER_MS).outcome);
    const full = Object.fromEntries(
      [OWN, ...OTHERS].flatMap((account) => REGIONS.map((r) => [`${account}/${r}`, STREAMS])),
    );
    expect(streams()).toEqual(full);
    for (const { name } of LANES) expect(answered.filter((lane) => lane === name)).toHaveLength(5);

    // A full lane is found out once for the whole task, and the next one is tried at once.
    const events = calls.flatMap((made) => made.streams);
    const throttled = events.filter(({ type }) => type === 'throttled');
    expect(throttled.map(({ lane }) => lane)).toEqual(LANES.slice(0, -1).map(({ name }) => name));
    const paid = calls.flatMap((made) => {
      const openings = made.streams.filter(({ type }) => type === 'opening');
      return openings.slice(1).map(({ at }, index) => at - (openings[index]?.at ?? 0));
    });
    expect(paid).toHaveLength(throttled.length);
    process.stderr.write(`added by a full lane, ms: ${paid.join(' ')}\n`);
    // None of them waited, on a machine of any speed.
    expect(Math.max(...paid)).toBeLessThan(NEVER_MS / 2);
    // Each role was assumed once, before the first call.
    expect([...sts.asked].sort()).toEqual(OTHERS.map(roleOf));

    const last = call();
    expect(await last.outcome).toMatch(
      /^The call cannot be served: 7 attempts in a row failed\. Last: .*Too many requests/,
    );
    // All lanes once without a pause, before any of them again.
    expect([...tried(last).slice(0, LANES.length)].sort()).toEqual(LANES.map((l) => l.name).sort());
    expect(last.metrics).toContainEqual(['CallsWithoutRegion', undefined]);
    expect(streams()).toEqual(full);
  });

  test('30 calls at the same moment are all answered', async () => {
    const lanes = await Promise.all(Array.from({ length: 30 }, () => call().outcome));
    expect(new Set(lanes)).toEqual(new Set(LANES.map(({ name }) => name)));
    expect(Object.values(streams())).toEqual(LANES.map(() => STREAMS));
  });

  test('a lane whose role is refused rests, and is used again when it is granted', async () => {
    const refused = OTHERS[1];
    const key = sts.roles.get(roleOf(refused)) as NonNullable<ReturnType<typeof sts.roles.get>>;
    sts.roles.delete(roleOf(refused));
    await assumeRoles(LANES, supervisor);
    const resting = LANES.filter(({ role }) => role === roleOf(refused)).map(({ name }) => name);
    expect(Object.keys(cooldowns.failed)).toEqual(resting);
    // Calls that would begin with it do not even try.
    const asked = sts.asked.length;
    for (let i = 0; i < 3; i++) expect(await call(0.99).outcome).toBe('us-east-1');
    expect(calls.flatMap(tried)).toEqual(['us-east-1', 'us-east-1', 'us-east-1']);
    expect(sts.asked).toHaveLength(asked);

    await clock.pass(5_000);
    // As long as its neighbours are not known to be full nobody asks it.
    for (let i = 0; i < 7; i++) await call(0.99).outcome;
    const last = call(0.99);
    expect(await last.outcome).toBe('us-west-2');
    expect(tried(last)).toEqual([`${OTHERS[0]}/us-east-1`, 'us-west-2']);
    expect(calls.flatMap(tried)).not.toContain(`${refused}/us-east-1`);
    const next = call(0.99);
    expect(await next.outcome).toBe('us-west-2');
    expect(tried(next)).toEqual([`${refused}/us-east-1`, 'us-west-2']);
    sts.roles.set(roleOf(refused), key);
    await clock.pass(9_000);
    expect(await call(0.99).outcome).toBe('us-west-2');
    await clock.pass(1_000);
    expect(await call(0.99).outcome).toBe(`${refused}/us-east-1`);
  });

  test('a call that finds a refused role goes on in the next lane at once', async () => {
    sts.roles.delete(roleOf(OTHERS[0]));
    for (let i = 0; i < STREAMS; i++) await call().outcome;
    const sixth = call();
    expect(await sixth.outcome).toBe(`${OTHERS[1]}/us-east-1`);
    expect(tried(sixth)).toEqual(['us-east-1', `${OTHERS[0]}/us-east-1`, `${OTHERS[1]}/us-east-1`]);
    expect(sixth.streams.find(({ type }) => type === 'failed')).toMatchObject({
      kind: 'credentials',
      error: expect.stringMatching(/sts:AssumeRole.*\(let the role be assumed: /),
    });
  });
});

test('credentials of a role are renewed before a call needs new ones, for as long as the process lives', async () => {
  // Ten minutes of them are kept for a stream.
  sts.lifetimeMs = 10 * 60_000 + 1_200;
  const provider = lanesOfCall(LANES, undefined, () => 0)[1]?.credentials as () => Promise<unknown>;
  await provider();
  await until('they are renewed twice', () => sts.asked.length >= 3);
  // By then nobody renews those of a process that has forgotten them.
  forgetRoles();
  const asked = sts.asked.length;
  expect(new Set(sts.asked)).toEqual(new Set([roleOf(OTHERS[0])]));
  expect(asked).toBeLessThan(10);
});

test('credentials of a role are renewed in time for a whole stream', async () => {
  sts.lifetimeMs = 9 * 60_000;
  const lane = lanesOfCall(LANES, undefined, () => 0)[1];
  const provider = lane?.credentials as () => Promise<{ accessKeyId: string }>;
  expect(await provider()).toMatchObject(keyOf(OTHERS[0]));
  const asked = sts.asked.length;
  sts.lifetimeMs = 3_600_000;
  for (let i = 0; i < 3; i++) await provider();
  expect(sts.asked).toHaveLength(asked + 1);
});
