// SPDX-License-Identifier: Apache-2.0
// A job process's side of the socket, in this process; the test is the worker.

import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { readJsonLines } from '../../../agent/src/supervision/json-lines.js';
import {
  type CallCommands,
  SupervisorClient,
} from '../../../agent/src/supervision/supervisor-client.js';
import type {
  JobReport,
  SupervisorMessage,
} from '../../../agent/src/supervision/supervisor-messages.js';
import { until } from '../../support/wait.js';

let directory: string;
let server: Server;
let worker: Socket;
let client: SupervisorClient;
/** What the worker was told, in order. */
let reports: JobReport[];
/** What the calls were told, in order. */
let told: string[];
let beat: () => void;
let exits: unknown[];

const call = (job: string) => ({ job, room: `room-${job}`, roomSid: 'RM' });
const commands = (job: string): CallCommands => ({
  onCommand: ({ type }) => void told.push(`${job} ${type}`),
  onWorkerLost: () => void told.push(`${job} worker lost`),
  onWithdrawn: () => void told.push(`${job} withdrawn`),
  onResume: ({ crashes }) => void told.push(`${job} resumed after ${crashes}`),
});
const start = (job: string) => client.callStarted(call(job), commands(job));
const send = (...messages: SupervisorMessage[]) =>
  worker.write(messages.map((message) => `${JSON.stringify(message)}\n`).join(''));
const reported = (n: number) => until('it is reported', () => reports.length >= n);

beforeEach(async () => {
  [reports, told, exits] = [[], [], []];
  jest.spyOn(process, 'exit').mockImplementation((code) => {
    exits.push(code);
    return undefined as never;
  });
  jest.spyOn(globalThis, 'setInterval').mockImplementation((fn) => {
    beat = fn as () => void;
    return undefined as never;
  });
  directory = mkdtempSync(join(tmpdir(), 'supervisor-client-'));
  const path = join(directory, 's');
  const connected = new Promise<Socket>((resolve) => {
    server = createServer(resolve).listen(path);
  });
  client = new SupervisorClient(path);
  worker = await connected;
  readJsonLines(worker, (report) => reports.push(report as JobReport));
  await reported(1);
});
afterEach(() => {
  jest.restoreAllMocks();
  client.close();
  worker.destroy();
  server.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('SupervisorClient', () => {
  it('tells who it is, and that it lives', async () => {
    expect(reports).toEqual([{ type: 'hello', pid: process.pid }]);
    beat();
    await reported(2);
    expect(reports[1]).toEqual({ type: 'alive', rssMB: expect.any(Number) });
    client.largestCall = () => ({ callId: 'a', grownMB: 7 });
    beat();
    await reported(3);
    expect(reports[2]).toMatchObject({ type: 'alive', largest: { job: 'a', grownMB: 7 } });
    // Megabytes.
    expect((reports[2] as { rssMB: number }).rssMB).toBeLessThan(100_000);
  });

  it('reports what happens in a call under its id, and no sum of nothing', async () => {
    const reporter = start('a');
    reporter.addMetric('Turns');
    reporter.addMetric('InputSpeechTokens', 0);
    reporter.addMetric('StreamErrors', 2, 'timeout');
    reporter.reportStream('s', 'us-east-1');
    reporter.reportCaller('ann');
    reporter.keep({ id: 'm' });
    reporter.ended('closed');
    reporter.ended('failed', true);
    client.callClosed('a');
    client.reportConnect({ lane: 'us-east-1', ok: true, ms: 5 });
    await reported(11);
    expect(reports.slice(1)).toEqual([
      { type: 'call', ...call('a') },
      { type: 'add', job: 'a', metric: 'Turns', value: 1 },
      { type: 'add', job: 'a', metric: 'StreamErrors', value: 2, split: 'timeout' },
      { type: 'stream', job: 'a', id: 's', lane: 'us-east-1' },
      { type: 'caller', job: 'a', identity: 'ann' },
      { type: 'said', job: 'a', item: { id: 'm' } },
      { type: 'ended', job: 'a', reason: 'closed' },
      { type: 'ended', job: 'a', reason: 'failed', failed: true },
      { type: 'closed', job: 'a' },
      { type: 'connect', lane: 'us-east-1', ok: true, ms: 5 },
    ]);
  });

  it('hands each call what is meant for it, as long as it runs', async () => {
    start('a');
    start('b');
    const end = { type: 'end_now' as const, reason: 'r' };
    send(
      { type: 'resume', job: 'b', history: [], crashes: 1 },
      { ...end, job: 'a' },
      { ...end, job: 'x' },
    );
    await until('both were told', () => told.length === 2);
    client.callClosed('a');
    send({ ...end, job: 'a' }, { ...end, job: 'b' });
    await until('the other was told', () => told.length === 3);
    expect(told).toEqual(['b resumed after 1', 'a end_now', 'b end_now']);
  });

  it('tells a call, or all, that LiveKit took the job back', () => {
    start('a');
    start('b');
    client.withdraw('b');
    client.withdraw('x');
    client.withdrawAll();
    expect(told).toEqual(['b withdrawn', 'a withdrawn', 'b withdrawn']);
  });

  it('knows which lanes to skip, and until when', async () => {
    const before = Date.now();
    send({ type: 'cooldowns', lanes: { 'us-east-1': 60_000 } });
    await until('it knows', () => client.cooldownUntil('us-east-1') !== undefined);
    expect(client.cooldownUntil('us-east-1')).toBeGreaterThanOrEqual(before + 60_000);
    expect(client.cooldownUntil('us-west-2')).toBeUndefined();
    send({ type: 'cooldowns', lanes: {} });
    await until('it is over', () => client.cooldownUntil('us-east-1') === undefined);
  });

  it('knows at once which lane has failed, without being told', async () => {
    const before = Date.now();
    client.reportConnect({ lane: 'us-west-2', ok: true, ms: 5 });
    client.reportConnect({ lane: 'us-east-1', ok: false, full: true, ms: 5 });
    expect(client.cooldownUntil('us-east-1')).toBeGreaterThanOrEqual(before + 5_000);
    expect(client.cooldownUntil('us-west-2')).toBeUndefined();
    await reported(3);
    expect(reports[2]).toEqual({
      ...{ type: 'connect', lane: 'us-east-1', ok: false, full: true, ms: 5 },
    });
  });

  describe('the turn of those that wait for a lane', () => {
    const turnIs = async (turn?: string) => {
      send({ type: 'cooldowns', lanes: { seen: reports.length }, ...(turn && { turn }) });
      // One message later, so that the one before was read.
      const marker = `m${Math.random()}`;
      send({ type: 'cooldowns', lanes: { [marker]: 1 }, ...(turn && { turn }) });
      await until('it is told', () => client.cooldownUntil(marker) !== undefined);
    };

    it('is awaited by who was refused everywhere, and by who asks while others wait', async () => {
      expect(client.laneTurn('a', false)).toBeUndefined();
      const order: string[] = [];
      void client.laneTurn('a', true)?.then(() => order.push('a'));
      await turnIs('x');
      void client.laneTurn('b', false)?.then(() => order.push('b'));
      await reported(3);
      expect(reports.slice(1)).toEqual([
        { type: 'waits', job: 'a', waits: true },
        { type: 'waits', job: 'b', waits: true },
      ]);
      expect(order).toEqual([]);
      await turnIs('a');
      expect(order).toEqual(['a']);
      // As long as it is its turn, it need not ask.
      expect(client.laneTurn('a', true)).toBeUndefined();
      client.leaveLaneQueue('a');
      await turnIs('b');
      expect(order).toEqual(['a', 'b']);
      await turnIs(undefined);
      expect(client.laneTurn('c', false)).toBeUndefined();
    });

    it('is not told to who has left', async () => {
      let told = false;
      void client.laneTurn('a', true)?.then(() => {
        told = true;
      });
      client.leaveLaneQueue('a');
      await turnIs('a');
      expect(told).toBe(false);
      expect(reports.at(-1)).toEqual({ type: 'waits', job: 'a', waits: false });
    });
  });

  describe('when the worker is gone', () => {
    it('ends the process if it has no call', async () => {
      start('a');
      client.callClosed('a');
      worker.destroy();
      await until('it ends', () => exits.length > 0);
      expect([exits, told]).toEqual([[0], []]);
    });

    it('tells its calls, each of which ends by itself', async () => {
      start('a');
      start('b');
      worker.destroy();
      await until('they are told', () => told.length === 2);
      expect([exits, told]).toEqual([[], ['a worker lost', 'b worker lost']]);
    });

    it('does nothing after it was closed', async () => {
      const gone = new Promise((resolve) => worker.once('close', resolve));
      client.close();
      await gone;
      await new Promise((resolve) => setImmediate(resolve));
      expect([exits, told]).toEqual([[], []]);
    });
  });

  it('drops reports where there is no worker', () => {
    const alone = new SupervisorClient('');
    alone.callStarted(call('a'), commands('a')).ended('closed');
    alone.reportConnect({ lane: 'us-east-1', ok: false, ms: 5 });
    expect(alone.cooldownUntil('us-east-1')).toBeUndefined();
    // Nobody would tell it that it is its turn.
    expect(alone.laneTurn('a', true)).toBeUndefined();
    alone.close();
  });
});
