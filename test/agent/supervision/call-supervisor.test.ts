// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { callSummary } from '../../../agent/src/supervision/call-record.js';
import { superviseCalls as setUp } from './supervisor-rig.js';

describe('CallSupervisor', () => {
  it('adds up the reports of a call, and ends it with its summary', async () => {
    const { started, call, clock, ended, sums } = setUp();
    const process = call();
    process.report({ type: 'stream', id: 'st1', lane: 'us-east-1' });
    process.report({ type: 'add', metric: 'Turns', value: 1 });
    process.report({ type: 'add', metric: 'TimeToFirstAudio', value: 900 });
    process.report({ type: 'add', metric: 'TimeToFirstAudio', value: 700 });
    process.report({ type: 'add', metric: 'OutputSpeechTokens', value: 1_000_000 });
    process.report({ type: 'add', metric: 'InputTextTokens', value: 1_000_000 });
    process.report({ type: 'add', metric: 'StreamErrors', value: 1, split: 'timeout' });
    process.report({ type: 'stream', id: 'st2', lane: 'us-west-2' });
    process.report({ type: 'alive', rssMB: 180.6 });
    process.report({ type: 'alive', rssMB: 170 });
    await clock.pass(65_000);
    process.report({ type: 'ended', reason: 'participant_disconnected' });
    process.report({ type: 'ended', reason: 'closed' });
    process.disconnected();
    expect(started).toEqual(['AJ_1']);
    expect(ended.map((record) => callSummary(record, clock.now()))).toEqual([
      {
        call_id: 'AJ_1',
        room: 'call-_***',
        room_sid: 'RM_1',
        'lk.pii.room_name': 'call-_+15551234567',
        stream_id: 'st2',
        seconds: 65,
        turns: 1,
        renewals: 0,
        failovers: 0,
        lanes: ['us-east-1', 'us-west-2'],
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
        crashes: 0,
        end_reason: 'participant_disconnected',
      },
    ]);
    expect(sums()).toMatchObject({
      CallDuration: 65,
      Turns: 1,
      TimeToFirstAudio: 1600,
      EstimatedCostUsd: 12.33,
    });
    expect(sums()).not.toHaveProperty('JobCrashes');
  });

  it('adds what a call costs to the lane that serves it then', () => {
    const { call, sums } = setUp();
    const process = call();
    const speak = () =>
      process.report({ type: 'add', metric: 'OutputSpeechTokens', value: 1_000_000 });
    process.report({ type: 'stream', id: 'st1', lane: 'us-east-1' });
    speak();
    process.report({ type: 'stream', id: 'st2', lane: 'us-west-2' });
    speak();
    speak();
    expect(sums()).toMatchObject({
      EstimatedCostUsd: 36,
      'EstimatedCostUsd{lane=us-east-1}': 12,
      'EstimatedCostUsd{lane=us-west-2}': 24,
    });
  });

  it('keeps the reports of a process that dies without reporting an end, and counts the crash', async () => {
    const { call, clock, ended, sums } = setUp();
    const process = call();
    process.report({ type: 'add', metric: 'InputSpeechTokens', value: 40 });
    await clock.pass(3_000);
    process.disconnected();
    process.disconnected();
    expect(ended.map(({ endReason }) => endReason)).toEqual(['crashed']);
    expect(sums()).toMatchObject({ JobCrashes: 1, CallDuration: 3, InputSpeechTokens: 40 });
  });

  it('counts a call whose own code threw as a crash', () => {
    const { call, sums } = setUp();
    const process = call();
    process.report({ type: 'ended', reason: 'failed', failed: true });
    process.disconnected();
    expect(sums()).toMatchObject({ JobCrashes: 1 });
  });

  it('counts an idle process that dies, but not those that the worker closes', () => {
    const { connect, supervisor, sums } = setUp();
    connect().disconnected();
    expect(sums().JobCrashes).toBe(1);
    const idle = connect();
    expect(supervisor.warmProcesses).toBe(1);
    supervisor.closing();
    idle.disconnected();
    expect(sums().JobCrashes).toBe(1);
  });

  it('kills an unresponsive process, and only that one', async () => {
    const { call, ended, pass, sums } = setUp({ unresponsiveTimeoutMs: 20_000 });
    const frozen = call('frozen');
    const alive = call('alive');
    await pass(20, alive);
    expect(frozen.killed).toEqual([]);
    await pass(1, alive);
    expect(frozen.killed.length).toBe(1);
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([
      ['frozen', 'unresponsive'],
    ]);
    expect(sums().JobCrashes).toBe(1);
    expect(alive.killed).toEqual([]);
  });

  it('kills an unresponsive process that has no call, and one that never cleans up its last', async () => {
    const { call, connect, ended, pass, sums } = setUp({
      unresponsiveTimeoutMs: 20_000,
      sharedProcesses: () => true,
    });
    const idle = connect();
    idle.report({ type: 'hello', pid: 1 });
    const closing = call('closing');
    closing.report({ type: 'ended', reason: 'participant_disconnected' });
    const alive = call('alive');
    await pass(20, alive);
    expect([idle.killed, closing.killed]).toEqual([[], []]);
    await pass(1, alive);
    expect([idle.killed.length, closing.killed.length]).toEqual([1, 1]);
    expect(alive.killed).toEqual([]);
    // The slot of the call that had ended is free again, and its reason stands.
    expect(ended.map(({ job, endReason }) => [job, endReason])).toEqual([
      ['closing', 'participant_disconnected'],
    ]);
    // The idle one.
    expect(sums().JobCrashes).toBe(1);
  });

  it('kills a process that uses too much memory, and only that one', async () => {
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

  it('kills no process when it was the worker itself that did not run', async () => {
    const { call, clock, supervisor, pass } = setUp({ unresponsiveTimeoutMs: 20_000 });
    const process = call();
    await clock.pass(60_000);
    supervisor.check();
    await pass(5, process);
    expect(process.killed).toEqual([]);
  });

  it('ends a call that is too long: gracefully, then now, then with SIGKILL', async () => {
    const { call, ended, pass } = setUp({
      maxCallMs: 60_000,
      endCallTimeoutMs: 10_000,
      killAfterMs: 20_000,
    });
    const process = call();
    await pass(61, process);
    expect(process.commands).toEqual([
      { type: 'end_gracefully', job: 'AJ_1', reason: 'max_call_length' },
    ]);
    await pass(11, process);
    expect(process.commands.at(-1)).toEqual({
      type: 'end_now',
      job: 'AJ_1',
      reason: 'max_call_length',
    });
    expect(process.killed).toEqual([]);
    await pass(21, process);
    expect(process.killed.length).toBe(1);
    expect(ended[0]?.endReason).toBe('did_not_end');
  });

  it('kills a process that does not exit after its call', async () => {
    const { call, ended, pass, sums } = setUp({ exitTimeoutMs: 8_000 });
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

  it('sends cooldowns to every process, also to one that connects later', async () => {
    const { call, clock, connect, cooldowns } = setUp();
    const [first, second, idle] = [call('1'), call('2'), connect()];
    first.report({ type: 'connect', lane: 'us-east-1', ok: false, ms: 80 });
    second.report({ type: 'connect', lane: 'us-west-2', ok: true, ms: 80 });
    for (const process of [first, second, idle]) {
      expect(process.received.at(-1)).toEqual({ 'us-east-1': 5_000 });
    }
    await clock.pass(2_000);
    const late = connect();
    expect(late.received).toEqual([{ 'us-east-1': 3_000 }]);
    second.report({ type: 'connect', lane: 'us-east-1', ok: true, ms: 80 });
    expect([first, idle, late].map(({ received }) => received.at(-1))).toEqual([{}, {}, {}]);
    expect(cooldowns).toEqual([{ 'us-east-1': 5_000 }, {}]);
  });

  it('sends commands to processes with a call only', () => {
    const { call, connect, supervisor } = setUp();
    const idle = connect();
    const talking = call();
    supervisor.command('end_gracefully', 'task_stopping');
    expect(idle.commands).toEqual([]);
    expect(talking.commands).toEqual([
      { type: 'end_gracefully', job: 'AJ_1', reason: 'task_stopping' },
    ]);
  });
});
