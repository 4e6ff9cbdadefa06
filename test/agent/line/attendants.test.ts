// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { initializeLogger } from '@livekit/agents';
import type {
  AttendantRequest,
  AttendantTask,
} from '../../../agent/src/line/attendant-messages.js';
import { Attendants, type AttendantsProcess } from '../../../agent/src/line/attendants.js';
import type { LineReport } from '../../../agent/src/line/waiting-line.js';
import { ManualClock } from '../../support/manual-clock.js';

class FakeProcess extends EventEmitter {
  readonly pid = 1;
  connected = true;
  readonly requests: AttendantRequest[] = [];

  send(request: AttendantRequest): void {
    this.requests.push(request);
  }
  disconnect(): void {
    this.die();
  }
  die(): void {
    this.connected = false;
    this.emit('exit');
  }
}

const task = (room: string): AttendantTask => ({
  ...{ room, callers: ['caller'], part: 'wait', speak: true, url: 'ws://livekit', token: 'token' },
});

function rig() {
  const clock = new ManualClock();
  const processes: FakeProcess[] = [];
  const attendants = new Attendants({
    clock,
    spawn: () => {
      const child = new FakeProcess();
      processes.push(child);
      return child as unknown as AttendantsProcess;
    },
  });
  const reports: LineReport[] = [];
  attendants.onReport = (report) => reports.push(report);
  return { clock, processes, attendants, reports };
}

beforeAll(() => initializeLogger({ pretty: false, level: 'fatal' }));

describe('the process of the attendants', () => {
  it('is there before somebody waits, and gets what the line asks for', () => {
    const { attendants, processes, reports } = rig();
    attendants.start();
    attendants.start();
    expect(processes.length).toBe(1);
    attendants.attend(task('a'));
    attendants.leave('a');
    expect(processes[0]?.requests).toEqual([
      { type: 'attend', task: task('a') },
      { type: 'leave', room: 'a' },
    ]);
    processes[0]?.emit('message', { type: 'ended', room: 'a', outcome: 'left' });
    expect(reports).toEqual([{ type: 'ended', room: 'a', outcome: 'left' }]);
  });

  it('that dies is replaced, and its rooms are told, once', async () => {
    const { attendants, processes, reports, clock } = rig();
    attendants.start();
    attendants.attend(task('a'));
    attendants.attend(task('b'));
    processes[0]?.emit('message', { type: 'ended', room: 'a', outcome: 'answered' });
    processes[0]?.die();
    expect(reports.slice(1)).toEqual([{ type: 'ended', room: 'b', outcome: 'failed' }]);
    attendants.attend(task('c'));
    expect(reports.at(-1)).toEqual({ type: 'ended', room: 'c', outcome: 'failed' });
    await clock.pass(1_000);
    expect(processes.length).toBe(2);
    attendants.attend(task('b'));
    expect(processes[1]?.requests.length).toBe(1);
  });

  it('that dies again and again is replaced after pauses that grow to 30 s, and soon after one that lasted', async () => {
    const { attendants, processes, clock } = rig();
    const pauseAfterDeath = async () => {
      const { length } = processes;
      processes.at(-1)?.die();
      const diedAt = clock.now();
      while (processes.length === length) await clock.pass(500);
      return clock.now() - diedAt;
    };
    attendants.start();
    const pauses: number[] = [];
    for (let i = 0; i < 6; i += 1) pauses.push(await pauseAfterDeath());
    expect(pauses).toEqual([1_000, 2_000, 5_000, 10_000, 30_000, 30_000]);
    await clock.pass(10_000);
    expect(await pauseAfterDeath()).toBe(1_000);
    expect(await pauseAfterDeath()).toBe(2_000);
  });

  it('that is started again while the dead one was to be replaced is one, without the rooms of before', async () => {
    const { attendants, processes, reports, clock } = rig();
    attendants.start();
    processes[0]?.die();
    attendants.stop();
    attendants.start();
    attendants.attend(task('a'));
    attendants.stop();
    attendants.start();
    await clock.pass(60_000);
    expect(processes.map(({ connected }) => connected)).toEqual([false, false, true]);
    processes[2]?.die();
    expect(reports).toEqual([]);
  });

  it('is not replaced when it was stopped', async () => {
    const { attendants, processes, reports, clock } = rig();
    attendants.start();
    attendants.attend(task('a'));
    attendants.stop();
    await clock.pass(60_000);
    expect(processes.map(({ connected }) => connected)).toEqual([false]);
    expect(reports).toEqual([]);
  });
});
