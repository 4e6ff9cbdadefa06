// SPDX-License-Identifier: Apache-2.0

import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { RoomServiceClient } from 'livekit-server-sdk';
import type { HeardAnswer } from '../../local/fleet/light-caller.js';
import type { RemoteCaller } from '../../local/fleet/remote-caller.js';
import { Fleet } from '../../local/fleet/worker-fleet.js';
import type { LogLine, WorkerProcess } from '../../local/fleet/worker-process.js';
import { askAll, FLEET_PATIENCE_MS } from './fleet-support.js';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
/** The tool of test/support/misbehaving/assistant.js that blocks does so for this long. */
const BLOCK_MS = 3_000;
/** A gap that the machine may cause, which also runs the callers. */
const GAP_MS = 700;
/** Share of an undisturbed answer that counts as the whole of it. */
const WHOLE = 0.9;

describe('calls that share a process with a call that misbehaves', () => {
  let fleet: Fleet;
  let worker: WorkerProcess;
  let neighbours: RemoteCaller[];
  /** Undisturbed answers, one for each neighbour. */
  let normal: HeardAnswer[] = [];

  beforeAll(async () => {
    fleet = await Fleet.start({
      scenario: here('fleet-neighbours.scenario.yaml'),
      env: { CALL_HOSTS: '1', CALLS_PER_PROCESS: '10', JOB_MEMORY_LIMIT_MB: '600' },
    });
    const hook = new URL('../support/misbehaving/hook.js', import.meta.url);
    const env = { NODE_OPTIONS: `--import=${hook}` };
    [worker] = (await fleet.startWorkers(1, {}, env)) as [WorkerProcess];
    neighbours = await Promise.all([call(), call()]);
    normal = await askAll(fleet, neighbours);
  }, 180_000);
  afterAll(() => fleet?.stop(), 30_000);

  /** A call that has been greeted, whose tool does `deed`. */
  async function call(deed = ''): Promise<RemoteCaller> {
    const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await fleet.offer(caller, deed);
    expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    await caller.waitForEvent('message', ({ role }) => role === 'assistant', FLEET_PATIENCE_MS);
    return caller;
  }

  const ask = (caller: RemoteCaller) => caller.ask(fleet.question, FLEET_PATIENCE_MS / 2);

  /** Lets something happen while both neighbours hear an answer, and returns what they heard, gaps included. */
  async function meanwhile(happens: () => unknown): Promise<HeardAnswer[]> {
    const speaking = neighbours.map((caller) => {
      const before = speeches(caller);
      return caller.waitForEvent('state', () => speeches(caller) > before, FLEET_PATIENCE_MS);
    });
    const answers = Promise.all(neighbours.map(heardWhole));
    await Promise.all(speaking);
    const [heard] = await Promise.all([answers, happens()]);
    return heard;
  }

  const speeches = (caller: RemoteCaller) =>
    caller.callEvents.filter(
      (event) => event.type === 'state' && event.who === 'agent' && event.state === 'speaking',
    ).length;

  /** An answer with all its parts: to a caller, a long gap is the end of it. */
  async function heardWhole(caller: RemoteCaller, i: number): Promise<HeardAnswer> {
    const [first] = await askAll(fleet, [caller]);
    let heard = first as HeardAnswer;
    while (normal[i] && heard.heardMs < normal[i].heardMs * WHOLE) {
      const more = await caller.listen(heard.endedAt, 2 * BLOCK_MS);
      if (!more) break;
      heard = {
        ...heard,
        heardMs: heard.heardMs + more.heardMs,
        longestPauseMs: Math.max(heard.longestPauseMs, more.longestPauseMs, more.latencyMs),
        endedAt: more.endedAt,
      };
    }
    return heard;
  }

  function expectUndisturbed(answers: HeardAnswer[], gapMs = GAP_MS): void {
    const gaps = answers.map((answer) => answer.longestPauseMs);
    process.stderr.write(`longest gaps beside it, ms: ${gaps.join(' ')}\n`);
    answers.forEach((answer, i) => {
      const { heardMs, longestPauseMs } = normal[i] as HeardAnswer;
      expect(answer.heardMs).toBeGreaterThan(heardMs * WHOLE);
      expect(answer.longestPauseMs).toBeLessThan(longestPauseMs + gapMs);
    });
    const [pid] = neighbours.map((caller) => worker.pidOf(caller.jobId));
    expect(neighbours.map((caller) => worker.pidOf(caller.jobId))).toEqual([pid, pid]);
    expect(neighbours.every((caller) => caller.agentPresent)).toBe(true);
  }

  const lineOf = (caller: RemoteCaller, msg: string): Promise<LogLine> =>
    worker.waitForLine(
      (line) => line.msg === msg && line.call_id === caller.jobId,
      FLEET_PATIENCE_MS,
    );

  it('hear nothing of tools that throw, reject or never return, closed rooms and broken streams', async () => {
    const [throws, rejects, never, closed] = await Promise.all([
      call('throws'),
      call('rejects'),
      call('never'),
      call(),
    ]);
    // The emulator's last session is this one's.
    const broken = await call();
    const sessions = await fleet.requestEmulator<{ id: string }[]>('GET', '/sessions');
    const { url, apiKey, apiSecret } = fleet.livekit;
    const rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    let answers: (HeardAnswer | undefined)[] = [];
    expectUndisturbed(
      await meanwhile(async () => {
        const unheard = [ask(throws), ask(never)];
        await rooms.deleteRoom(closed.name);
        await fleet.requestEmulator('POST', '/faults', {
          kind: 'kill',
          session: sessions.at(-1)?.id,
        });
        answers = await Promise.all([rejects, broken].map(ask));
        await never.waitForEvent('tool_started', undefined, FLEET_PATIENCE_MS);
        await fleet.hangUp([never]);
        void Promise.all(unheard);
      }),
    );
    expect(await lineOf(throws, 'uncaught exception in a call, ending it')).toMatchObject({
      tool: 'do_something',
    });
    expect(await lineOf(rejects, 'unhandled rejection')).toMatchObject({ tool: 'do_something' });
    // Their own calls go on.
    expect(answers.every(Boolean)).toBe(true);
    for (const caller of [throws, never, closed]) await lineOf(caller, 'call ended');
    await lineOf(broken, 'stream failed');
    await fleet.hangUp([rejects, broken]);
  }, 120_000);

  it('hear a tool that blocks no longer than it does, and the log names it', async () => {
    const caller = await call('blocks');
    expectUndisturbed(await meanwhile(() => ask(caller)), BLOCK_MS + GAP_MS);
    const line = await lineOf(caller, 'event loop blocked');
    expect(line).toMatchObject({ tool: 'do_something' });
    expect(Number(line.ms)).toBeGreaterThan(BLOCK_MS * 0.8);
    expect(JSON.stringify(line.frames)).toContain('assistant.js');
    await fleet.hangUp([caller]);
  }, 120_000);

  it('hear nothing of a process that grows: it gets no more calls, and the log names the call', async () => {
    const caller = await call('grows');
    expectUndisturbed(await meanwhile(() => ask(caller)));
    const line = await lineOf(caller, 'call host gets no more calls');
    expect(line).toMatchObject({ reason: 'memory_limit' });
    expect(Number(line.grown_mb)).toBeGreaterThan(400);
    const next = await call();
    expect(worker.pidOf(next.jobId)).not.toBe(worker.pidOf(caller.jobId));
    expectUndisturbed(await meanwhile(() => {}));
  }, 120_000);
});
