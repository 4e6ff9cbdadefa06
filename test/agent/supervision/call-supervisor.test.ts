// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import {
  type CallRecord,
  type Order,
  type Rests,
  summary,
} from '../../../agent/src/supervision/call-record.js';
import { CallLedger, type LedgerOptions } from '../../../agent/src/supervision/call-supervisor.js';
import { FleetMetrics } from '../../../agent/src/telemetry/metrics.js';
import { emfLines, emfSums } from '../../../local/fleet/emf.js';
import { ManualClock } from '../../support/manual-clock.js';

const prices = { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 };

function setUp(options: Partial<LedgerOptions> = {}) {
  const clock = new ManualClock();
  const log: object[] = [];
  const metrics = new FleetMetrics({
    namespace: 'n',
    service: 's',
    write: (line) => log.push(JSON.parse(line)),
  });
  const ended: CallRecord[] = [];
  const begun: string[] = [];
  const rests: Record<string, number>[] = [];
  const ledger = new CallLedger(
    clock,
    metrics,
    { prices, ...options },
    {
      onBegin: ({ job }) => begun.push(job),
      onEnd: (record) => ended.push(record),
      onRests: (regions) => rests.push(regions),
    },
  );
  let pids = 100;
  const connect = () => {
    const orders: Order[] = [];
    const told: Rests['regions'][] = [];
    const killed: number[] = [];
    const process = ledger.connected({
      send: (message) =>
        message.type === 'rests' ? told.push(message.regions) : orders.push(message),
      kill: (pid) => {
        killed.push(pid);
        process.gone();
      },
    });
    process.report({ type: 'hello', pid: pids++ });
    return { ...process, orders, told, killed };
  };
  const call = (job = 'AJ_1') => {
    const process = connect();
    process.report({ type: 'call', job, room: 'call-_+15551234567', roomSid: 'RM_1' });
    return process;
  };
  /** One look a second, as the worker does, with or without a sign of life. */
  const pass = async (
    seconds: number,
    alive?: { report(report: { type: 'alive'; rssMB: number }): void },
  ) => {
    for (let i = 0; i < seconds; i++) {
      await clock.pass(1_000);
      alive?.report({ type: 'alive', rssMB: 150 });
      ledger.look();
    }
  };
  const sums = () => {
    metrics.flush();
    return emfSums(emfLines(log));
  };
  return { begun, call, clock, connect, ended, ledger, pass, rests, sums };
}

describe('CallLedger', () => {
  it('adds up a call as it is told, and ends it with its summary', async () => {
    const { begun, call, clock, ended, sums } = setUp();
    const process = call();
    process.report({ type: 'stream', id: 'st1', region: 'us-east-1' });
    process.report({ type: 'add', metric: 'Turns', value: 1 });
    process.report({ type: 'add', metric: 'FirstAudioMs', value: 900 });
    process.report({ type: 'add', metric: 'FirstAudioMs', value: 700 });
    process.report({ type: 'add', metric: 'OutputSpeechTokens', value: 1_000_000 });
    process.report({ type: 'add', metric: 'InputTextTokens', value: 1_000_000 });
    process.report({ type: 'add', metric: 'StreamErrors', value: 1, split: 'timeout' });
    process.report({ type: 'stream', id: 'st2', region: 'us-west-2' });
    process.report({ type: 'alive', rssMB: 180.6 });
    process.report({ type: 'alive', rssMB: 170 });
    await clock.pass(65_000);
    process.report({ type: 'ended', reason: 'participant_disconnected' });
    process.report({ type: 'ended', reason: 'closed' });
    process.gone();
    expect(begun).toEqual(['AJ_1']);
    expect(ended.map((record) => summary(record, clock.now()))).toEqual([
      {
        call_id: 'AJ_1',
        room: 'call-_***',
        room_sid: 'RM_1',
        'lk.pii.room_name': 'call-_+15551234567',
        stream_id: 'st2',
        seconds: 65,
        turns: 1,
        renewals: 0,
        fail_overs: 0,
        regions: ['us-east-1', 'us-west-2'],
        errors: { timeout: 1 },
        tool_errors: 0,
        tokens: {
          input_speech: 0,
          output_speech: 1_000_000,
          input_text: 1_000_000,
          output_text: 0,
        },
        cost_usd: 12.33,
        first_audio_ms: { median: 700, max: 900 },
        memory_mb: 181,
        end_reason: 'participant_disconnected',
      },
    ]);
    expect(sums()).toMatchObject({ CallSeconds: 65, Turns: 1, FirstAudioMs: 1600, CostUsd: 12.33 });
    expect(sums()).not.toHaveProperty('JobCrashes');
  });

  it('keeps all that was told by a process that dies without a word, and counts the crash', async () => {
    const { call, clock, ended, sums } = setUp();
    const process = call();
    process.report({ type: 'add', metric: 'InputSpeechTokens', value: 40 });
    await clock.pass(3_000);
    process.gone();
    process.gone();
    expect(ended.map(({ endReason }) => endReason)).toEqual(['crashed']);
    expect(sums()).toMatchObject({ JobCrashes: 1, CallSeconds: 3, InputSpeechTokens: 40 });
  });

  it('counts a call whose own code threw', () => {
    const { call, sums } = setUp();
    const process = call();
    process.report({ type: 'ended', reason: 'failed', failed: true });
    process.gone();
    expect(sums()).toMatchObject({ JobCrashes: 1 });
  });

  it('counts an idle process that dies, but not those that the worker closes', () => {
    const { connect, ledger, sums } = setUp();
    connect().gone();
    expect(sums().JobCrashes).toBe(1);
    const idle = connect();
    expect(ledger.warm).toBe(1);
    ledger.closing();
    idle.gone();
    expect(sums().JobCrashes).toBe(1);
  });

  it('kills a process that hangs, and only that one', async () => {
    const { call, ended, pass, sums } = setUp({ hangMs: 20_000 });
    const frozen = call('frozen');
    const alive = call('alive');
    await pass(20, alive);
    expect(frozen.killed).toEqual([]);
    await pass(1, alive);
    expect(frozen.killed.length).toBe(1);
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([['frozen', 'hung']]);
    expect(sums().JobCrashes).toBe(1);
    expect(alive.killed).toEqual([]);
  });

  it('kills a process that takes too much memory, and only that one', async () => {
    const { call, ended, pass, sums } = setUp({ memoryLimitMB: 500 });
    const [hungry, other] = [call('hungry'), call('other')];
    hungry.report({ type: 'alive', rssMB: 501 });
    other.report({ type: 'alive', rssMB: 500 });
    await pass(1, other);
    expect(hungry.killed.length).toBe(1);
    expect(other.killed).toEqual([]);
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([
      ['hungry', 'memory_limit'],
    ]);
    expect(sums().JobCrashes).toBe(1);
  });

  it('blames nobody when it was the worker itself that did not run', async () => {
    const { call, clock, ledger, pass } = setUp({ hangMs: 20_000 });
    const process = call();
    await clock.pass(60_000);
    ledger.look();
    await pass(5, process);
    expect(process.killed).toEqual([]);
  });

  it('ends a call that is too long: goodbye, end, and at last SIGKILL', async () => {
    const { call, ended, pass } = setUp({ maxCallMs: 60_000, goodbyeMs: 10_000, endMs: 20_000 });
    const process = call();
    await pass(61, process);
    expect(process.orders).toEqual([{ type: 'goodbye', reason: 'max_call_length' }]);
    await pass(11, process);
    expect(process.orders.at(-1)).toEqual({ type: 'end', reason: 'max_call_length' });
    expect(process.killed).toEqual([]);
    await pass(21, process);
    expect(process.killed.length).toBe(1);
    expect(ended[0]?.endReason).toBe('did not end');
  });

  it('does not wait for a process that does not exit after its call', async () => {
    const { call, ended, pass, sums } = setUp({ closeMs: 8_000 });
    const process = call();
    process.report({ type: 'ended', reason: 'participant_disconnected' });
    await pass(8, process);
    expect(process.killed).toEqual([]);
    await pass(1, process);
    expect(process.killed.length).toBe(1);
    // The call itself had ended well.
    expect(ended[0]?.endReason).toBe('participant_disconnected');
    expect(sums()).not.toHaveProperty('JobCrashes');
  });

  it('tells every process, also one that comes later, which Regions rest', async () => {
    const { call, clock, connect, rests } = setUp();
    const [first, second, idle] = [call('1'), call('2'), connect()];
    first.report({ type: 'connect', region: 'us-east-1', ok: false, ms: 80 });
    second.report({ type: 'connect', region: 'us-west-2', ok: true, ms: 80 });
    for (const process of [first, second, idle]) {
      expect(process.told.at(-1)).toEqual({ 'us-east-1': 5_000 });
    }
    await clock.pass(2_000);
    const late = connect();
    expect(late.told).toEqual([{ 'us-east-1': 3_000 }]);
    second.report({ type: 'connect', region: 'us-east-1', ok: true, ms: 80 });
    expect([first, idle, late].map(({ told }) => told.at(-1))).toEqual([{}, {}, {}]);
    expect(rests).toEqual([{ 'us-east-1': 5_000 }, {}]);
  });

  it('gives orders to processes with a call only', () => {
    const { call, connect, ledger } = setUp();
    const idle = connect();
    const talking = call();
    ledger.order('goodbye', 'task_stopping');
    expect(idle.orders).toEqual([]);
    expect(talking.orders).toEqual([{ type: 'goodbye', reason: 'task_stopping' }]);
  });
});
