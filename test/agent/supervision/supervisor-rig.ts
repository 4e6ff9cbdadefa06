// SPDX-License-Identifier: Apache-2.0

import type { CallRecord } from '../../../agent/src/supervision/call-record.js';
import { CallSupervisor } from '../../../agent/src/supervision/call-supervisor.js';
import type {
  CooldownsMessage,
  JobCommand,
  JobReport,
  ResumeMessage,
} from '../../../agent/src/supervision/supervisor-messages.js';
import type {
  RetiredProcess,
  SupervisorOptions,
} from '../../../agent/src/supervision/supervisor-options.js';
import { WorkerMetrics } from '../../../agent/src/telemetry/metrics.js';
import { emfLines, emfSums } from '../../../local/fleet/emf.js';
import { ManualClock } from '../../support/manual-clock.js';

/** A report as a process with a single call makes it: the call's id is added. */
type Report<R = JobReport> = R extends { job: string } ? Omit<R, 'job'> : R;

const prices = { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 };

export function superviseCalls(options: Partial<SupervisorOptions> = {}) {
  const clock = new ManualClock();
  const log: object[] = [];
  const metrics = new WorkerMetrics({
    namespace: 'n',
    service: 's',
    write: (line) => log.push(JSON.parse(line)),
  });
  const ended: CallRecord[] = [];
  const started: string[] = [];
  const cooldowns: Record<string, number>[] = [];
  const retired: RetiredProcess[] = [];
  const lost: string[] = [];
  const resumed: string[] = [];
  /** Whether the worker has another process for a call that lost its own. */
  const others = { available: false };
  const supervisor = new CallSupervisor(
    clock,
    metrics,
    { prices, ...options },
    {
      onCallStarted: ({ job }) => started.push(job),
      onCallLost: ({ job, endReason }) => {
        lost.push(`${job} ${endReason}`);
        return others.available;
      },
      onCallResumed: ({ job }, ms) => resumed.push(`${job} after ${ms} ms`),
      onCallEnded: (record) => ended.push(record),
      onCooldownsChanged: (lanes) => cooldowns.push(lanes),
      onRetire: (process) => retired.push(process),
    },
  );
  let pids = 100;
  const connect = () => {
    const commands: JobCommand[] = [];
    const received: CooldownsMessage['lanes'][] = [];
    const turns: (string | undefined)[] = [];
    const killed: number[] = [];
    const handedOver: ResumeMessage[] = [];
    const process = supervisor.connected({
      send: (message) => {
        if (message.type === 'cooldowns') {
          received.push(message.lanes);
          turns.push(message.turn);
        } else if (message.type === 'resume') handedOver.push(message);
        else commands.push(message);
      },
      kill: (pid) => {
        killed.push(pid);
        process.disconnected();
      },
    });
    process.report({ type: 'hello', pid: pids++ });
    return { ...process, commands, received, turns, killed, handedOver };
  };
  const call = (job = 'AJ_1') => {
    const process = connect();
    process.report({ type: 'call', job, room: 'call-_+15551234567', roomSid: 'RM_1' });
    const report = (report: Report) => process.report({ ...report, job } as JobReport);
    return { ...process, report };
  };
  /** One check a second, as in the worker, with or without a heartbeat. */
  const pass = async (
    seconds: number,
    alive?: { report(report: { type: 'alive'; rssMB: number }): void },
  ) => {
    for (let i = 0; i < seconds; i++) {
      await clock.pass(1_000);
      alive?.report({ type: 'alive', rssMB: 150 });
      supervisor.check();
    }
  };
  const sums = () => {
    metrics.flush();
    return emfSums(emfLines(log));
  };
  return {
    lost,
    resumed,
    others,
    started,
    call,
    clock,
    connect,
    ended,
    supervisor,
    pass,
    cooldowns,
    retired,
    sums,
  };
}
