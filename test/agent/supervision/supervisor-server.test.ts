// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { systemMonotonicClock } from '../../../agent/src/clock.js';
import type { CallRecord } from '../../../agent/src/supervision/call-record.js';
import { CallSupervisor } from '../../../agent/src/supervision/call-supervisor.js';
import {
  type CallReporter,
  SupervisorClient,
} from '../../../agent/src/supervision/supervisor-client.js';
import { SupervisorServer } from '../../../agent/src/supervision/supervisor-server.js';
import { WorkerMetrics } from '../../../agent/src/telemetry/metrics.js';
import { emfLines, emfSums } from '../../../local/fleet/emf.js';
import { until } from '../../support/wait.js';

let server: SupervisorServer | undefined;
afterEach(() => server?.close());

/** A process with a call that runs `act` on `end_gracefully`, and ends on `end_now`. */
const child = (act: string) => `
  import { SupervisorClient } from '${process.cwd()}/agent/src/supervision/supervisor-client.ts';
  const client = new SupervisorClient();
  const call = { job: 'AJ_1', room: 'Müllers Zimmer', roomSid: 'RM_1' };
  const reporter = client.callStarted(call, {
    onCommand: (command) => {
      if (command.type === 'end_gracefully') {
        ${act}
      } else {
        reporter.ended(command.reason);
        process.exit(0);
      }
    },
    onWorkerLost: () => process.exit(7),
  });
`;

async function setUp(act = '') {
  const log: object[] = [];
  const events = new EventEmitter<{ end: [CallRecord]; start: [CallRecord] }>();
  const metrics = new WorkerMetrics({
    namespace: 'n',
    service: 's',
    write: (line) => log.push(JSON.parse(line)),
  });
  const prices = { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 };
  const supervisor = new CallSupervisor(
    systemMonotonicClock,
    metrics,
    { prices },
    {
      onCallStarted: (record) => events.emit('start', record),
      onCallEnded: (record) => events.emit('end', record),
    },
  );
  server = await SupervisorServer.open(supervisor);
  const ended = once(events, 'end') as Promise<[CallRecord]>;
  const started = once(events, 'start');
  const job = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', child(act)],
    {
      env: { ...process.env, SUPERVISOR_SOCKET: server.path },
      stdio: 'inherit',
    },
  );
  const exited = once(job, 'exit').then(([code]) => code as number);
  const sums = () => {
    metrics.flush();
    return emfSums(emfLines(log));
  };
  return { started, ended, exited, supervisor, sums };
}

describe('SupervisorServer', () => {
  it('loses no report of a process that is killed right after it', async () => {
    const { started, ended, supervisor, sums } = await setUp(`
      for (let i = 0; i < 200; i++) reporter.addMetric('InputSpeechTokens', 1);
      process.kill(process.pid, 'SIGKILL');
    `);
    await started;
    supervisor.command('end_gracefully', 'test');
    const [record] = await ended;
    expect(record).toMatchObject({ room: 'Müllers Zimmer', ended: false });
    expect(sums()).toMatchObject({ InputSpeechTokens: 200, JobCrashes: 1 });
  });

  it('delivers commands to the call', async () => {
    const { started, ended, exited, supervisor } = await setUp();
    await started;
    supervisor.command('end_now', 'task_stopping');
    expect((await ended)[0]).toMatchObject({ endReason: 'task_stopping', ended: true });
    expect(await exited).toBe(0);
  });

  it('delivers cooldowns, in the time of the machine’s clock', async () => {
    const { started, ended, exited, supervisor } = await setUp(`
      const before = Date.now();
      new SupervisorClient().reportConnect({ lane: 'us-east-1', ok: false, ms: 10 });
      const check = () => {
        const until = client.cooldownUntil('us-east-1');
        if (until === undefined) return setImmediate(check);
        const right = until >= before + 4_900 && until <= Date.now() + 5_000;
        const other = client.cooldownUntil('us-west-2');
        reporter.ended('checked');
        process.exit(right && other === undefined ? 0 : 8);
      };
      check();
    `);
    await started;
    supervisor.command('end_gracefully', 'test');
    expect((await ended)[0].ended).toBe(true);
    expect(await exited).toBe(0);
  });

  it('serves calls of several processes that wait for a lane in the order in which they called', async () => {
    const metrics = new WorkerMetrics({ namespace: 'n', service: 's', write: () => {} });
    const prices = { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 };
    const supervisor = new CallSupervisor(systemMonotonicClock, metrics, { prices });
    const opened = await SupervisorServer.open(supervisor);
    server = opened;
    const calls: { job: string; client: SupervisorClient; reporter: CallReporter }[] = [];
    for (const job of ['first', 'a', 'b', 'c']) {
      const client = new SupervisorClient(opened.path);
      const commands = { onCommand: () => {}, onWorkerLost: () => {} };
      const reporter = client.callStarted({ job, room: job, roomSid: '' }, commands);
      calls.push({ job, client, reporter });
      await until('it is known', () => supervisor.calls.some((one) => one.job === job));
    }
    const served: string[] = [];
    // The first one waits before the others do, who come in any order.
    for (const job of ['first', 'c', 'a', 'b']) {
      const call = calls.find((one) => one.job === job);
      void call?.client.laneTurn(job, true)?.then(() => {
        served.push(job);
        if (job !== 'first') call.client.leaveLaneQueue(job);
      });
      // Read after the line above.
      call?.reporter.reportCaller(job);
      await until('it waits', () => supervisor.calls.some(({ caller }) => caller === job));
    }
    await until('the first one is served', () => served.length > 0);
    expect(served.splice(0)).toEqual(['first']);
    calls[0]?.client.leaveLaneQueue('first');
    await until('all are served', () => served.length === 3);
    expect(served).toEqual(['a', 'b', 'c']);
    for (const { client } of calls) client.close();
  });

  it('ends the call when the worker is gone', async () => {
    const { started, exited } = await setUp();
    await started;
    server?.disconnectAll();
    expect(await exited).toBe(7);
  });

  it('keeps other users out, and removes its directory', async () => {
    const { started, ended, supervisor } = await setUp();
    await started;
    supervisor.command('end_now', 'test');
    await ended;
    const directory = dirname(server?.path ?? '');
    expect(statSync(directory).mode & 0o077).toBe(0);
    server?.close();
    expect(existsSync(directory)).toBe(false);
  });
});
