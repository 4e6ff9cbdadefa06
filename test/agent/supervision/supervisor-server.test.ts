// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { systemClock } from '../../../agent/src/clock.js';
import type { CallRecord } from '../../../agent/src/supervision/call-record.js';
import { CallLedger } from '../../../agent/src/supervision/call-supervisor.js';
import { CallChannel } from '../../../agent/src/supervision/supervisor-server.js';
import { FleetMetrics } from '../../../agent/src/telemetry/metrics.js';
import { emfLines, emfSums } from '../../../local/fleet/emf.js';

let channel: CallChannel | undefined;
afterEach(() => channel?.close());

/** A process with a call that does `act` when told to say goodbye, and ends when told to. */
const child = (act: string) => `
  import { CallReporter } from '${process.cwd()}/agent/src/fleet/call-reporter.ts';
  const reporter = new CallReporter();
  const call = { job: 'AJ_1', room: 'Müllers Zimmer', roomSid: 'RM_1' };
  reporter.call(call, (order) => {
    if (order.type === 'goodbye') {
      ${act}
    } else {
      reporter.ended(order.reason);
      process.exit(0);
    }
  }, () => process.exit(7));
`;

async function setUp(act = '') {
  const log: object[] = [];
  const events = new EventEmitter<{ end: [CallRecord]; begin: [CallRecord] }>();
  const metrics = new FleetMetrics({
    namespace: 'n',
    service: 's',
    write: (line) => log.push(JSON.parse(line)),
  });
  const prices = { audioIn: 0, audioOut: 0, textIn: 0, textOut: 0 };
  const ledger = new CallLedger(
    systemClock,
    metrics,
    { prices },
    {
      onBegin: (record) => events.emit('begin', record),
      onEnd: (record) => events.emit('end', record),
    },
  );
  channel = await CallChannel.open(ledger);
  const ended = once(events, 'end') as Promise<[CallRecord]>;
  const begun = once(events, 'begin');
  const job = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '-e', child(act)],
    {
      env: { ...process.env, FLEET_SOCKET: channel.path },
      stdio: 'inherit',
    },
  );
  const exited = once(job, 'exit').then(([code]) => code as number);
  const sums = () => {
    metrics.flush();
    return emfSums(emfLines(log));
  };
  return { begun, ended, exited, ledger, sums };
}

describe('CallChannel', () => {
  it('loses nothing of a process that is killed right after it reported', async () => {
    const { begun, ended, ledger, sums } = await setUp(`
      for (let i = 0; i < 200; i++) reporter.add('InputSpeechTokens', 1);
      process.kill(process.pid, 'SIGKILL');
    `);
    await begun;
    ledger.order('goodbye', 'test');
    const [record] = await ended;
    expect(record).toMatchObject({ room: 'Müllers Zimmer', ended: false });
    expect(sums()).toMatchObject({ InputSpeechTokens: 200, JobCrashes: 1 });
  });

  it('brings orders to the call', async () => {
    const { begun, ended, exited, ledger } = await setUp();
    await begun;
    ledger.order('end', 'task_stopping');
    expect((await ended)[0]).toMatchObject({ endReason: 'task_stopping', ended: true });
    expect(await exited).toBe(0);
  });

  it('brings which Regions rest, until when on the machine’s clock', async () => {
    const { begun, ended, exited, ledger } = await setUp(`
      const before = Date.now();
      reporter.connect({ region: 'us-east-1', ok: false, ms: 10 });
      const look = () => {
        const until = reporter.restsUntil('us-east-1');
        if (until === undefined) return setImmediate(look);
        const right = until >= before + 4_900 && until <= Date.now() + 5_000;
        const other = reporter.restsUntil('us-west-2');
        reporter.ended('looked');
        process.exit(right && other === undefined ? 0 : 8);
      };
      look();
    `);
    await begun;
    ledger.order('goodbye', 'test');
    expect((await ended)[0].ended).toBe(true);
    expect(await exited).toBe(0);
  });

  it('tells the call when the worker is gone', async () => {
    const { begun, exited } = await setUp();
    await begun;
    channel?.drop();
    expect(await exited).toBe(7);
  });

  it('can be entered by nobody else, and leaves nothing behind', async () => {
    const { begun, ended, ledger } = await setUp();
    await begun;
    ledger.order('end', 'test');
    await ended;
    const directory = dirname(channel?.path ?? '');
    expect(statSync(directory).mode & 0o077).toBe(0);
    channel?.close();
    expect(existsSync(directory)).toBe(false);
  });
});
