// SPDX-License-Identifier: Apache-2.0

// Two calls of a process hear an answer while a third call of the same process misbehaves. What they hear is compared with
// what the same two heard before; a gap that only this machine caused is not there the next time.

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
/** A gap beyond that of an undisturbed answer. */
const GAP_MS = 500;
/** Share of an undisturbed answer that counts as the whole of it. */
const WHOLE = 0.8;
/** How often something may happen until no gap comes with it: what it causes comes every time. */
const ATTEMPTS = 3;

describe('calls that share a process with a call that misbehaves', () => {
  let fleet: Fleet;
  let worker: WorkerProcess;
  let neighbours: RemoteCaller[] = [];
  /** Undisturbed answers, one for each neighbour. */
  let normal: HeardAnswer[] = [];
  /** The call whose tool never returns, from the first test to the last. */
  let never: RemoteCaller;

  beforeAll(async () => {
    fleet = await Fleet.start({
      scenario: here('fleet-neighbours.scenario.yaml'),
      env: { CALL_HOSTS: '1', CALLS_PER_PROCESS: '10', JOB_MEMORY_LIMIT_MB: '600' },
    });
    const hook = new URL('../support/misbehaving/hook.js', import.meta.url);
    const env = { NODE_OPTIONS: `--import=${hook}` };
    [worker] = (await fleet.startWorkers(1, {}, env)) as [WorkerProcess];
    await takeNeighbours();
  }, 180_000);
  afterAll(() => fleet?.stop(), 30_000);

  async function takeNeighbours(): Promise<void> {
    await fleet.hangUp(neighbours);
    neighbours = await Promise.all([call(), call()]);
    normal = await askAll(fleet, neighbours);
  }

  /** A call that has been greeted, whose tool does `deed`. */
  async function call(deed = ''): Promise<RemoteCaller> {
    const [caller] = (await fleet.joinCallers(1)) as [RemoteCaller];
    await fleet.offer(caller, deed);
    expect(await caller.waitForAgent(FLEET_PATIENCE_MS)).toBeDefined();
    await caller.waitForEvent('message', ({ role }) => role === 'assistant', FLEET_PATIENCE_MS);
    return caller;
  }

  const pid = (caller: RemoteCaller) => worker.pidOf(caller.jobId);

  /** On a busy machine a call may end so slowly that its process gets no more calls: then this is no test. */
  const apart = (...callers: RemoteCaller[]) =>
    new Set([...neighbours, ...callers].map(pid)).size > 1 ? Number.POSITIVE_INFINITY : undefined;
  const ask = (caller: RemoteCaller) => caller.ask(fleet.question, FLEET_PATIENCE_MS / 2);

  const lineOf = (caller: RemoteCaller, msg: string): Promise<LogLine> =>
    worker.waitForLine(
      (line) => line.msg === msg && line.call_id === caller.jobId,
      FLEET_PATIENCE_MS,
    );

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

  /**
   * Lets something happen in the process of both neighbours while they hear an answer. They hear the whole of it and go
   * on. Returns the longest gap beyond those of an undisturbed answer.
   */
  async function gapWhile(happens: () => unknown): Promise<number> {
    const speaking = neighbours.map((caller) => {
      const before = speeches(caller);
      return caller.waitForEvent('state', () => speeches(caller) > before, FLEET_PATIENCE_MS);
    });
    const answers = Promise.all(neighbours.map(heardWhole));
    await Promise.all(speaking);
    const [heard] = await Promise.all([answers, happens()]);
    expect(neighbours.map((caller) => caller.agentPresent)).toEqual([true, true]);
    const gaps = heard.map((answer, i) => {
      const { heardMs, longestPauseMs } = normal[i] as HeardAnswer;
      expect(answer.heardMs).toBeGreaterThan(heardMs * WHOLE);
      return answer.longestPauseMs - longestPauseMs;
    });
    return Math.max(...gaps);
  }

  /** Repeats it, with other neighbours, until it causes no gap. @param run makes it happen, and returns the gap */
  async function undisturbed(run: () => Promise<number>, bound = GAP_MS): Promise<void> {
    const gaps: number[] = [];
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (attempt > 0) await takeNeighbours();
      gaps.push(await run());
      process.stderr.write(`longest gap beyond the usual: ${gaps.at(-1)} ms\n`);
      if ((gaps.at(-1) ?? bound) < bound) return;
    }
    throw new Error(`Each time there was a gap of more than ${bound} ms: ${gaps.join(', ')} ms.`);
  }

  it('hear nothing of tools that throw, reject or never return, closed rooms and broken streams', async () => {
    never = await call('never');
    const { url, apiKey, apiSecret } = fleet.livekit;
    const rooms = new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret);
    void ask(never).catch(() => {});
    await never.waitForEvent('tool_started', undefined, FLEET_PATIENCE_MS);
    await undisturbed(async () => {
      const [throws, rejects, closed] = await Promise.all([
        call('throws'),
        call('rejects'),
        call(),
      ]);
      // The emulator's last session is this one's.
      const broken = await call();
      const sessions = await fleet.requestEmulator<{ id: string }[]>('GET', '/sessions');
      const gap = await gapWhile(async () => {
        void ask(throws).catch(() => {});
        await rooms.deleteRoom(closed.name);
        await fleet.requestEmulator('POST', '/faults', {
          kind: 'kill',
          session: sessions.at(-1)?.id,
        });
        // Their own calls go on.
        const answers = await Promise.all([rejects, broken].map(ask));
        expect(answers.every(Boolean)).toBe(true);
      });
      expect(await lineOf(throws, 'uncaught exception in a call, ending it')).toMatchObject({
        tool: 'do_something',
      });
      expect(await lineOf(rejects, 'unhandled rejection')).toMatchObject({ tool: 'do_something' });
      await lineOf(broken, 'stream failed');
      for (const caller of [throws, closed]) await lineOf(caller, 'call ended');
      const others = [throws, rejects, closed, broken];
      await fleet.hangUp(others);
      return apart(...others) ?? gap;
    });
  }, 300_000);

  it('hear a tool that blocks no longer than it does, and the log names it', async () => {
    await undisturbed(async () => {
      const caller = await call('blocks');
      const gap = await gapWhile(() => ask(caller));
      const line = await lineOf(caller, 'event loop blocked');
      expect(line).toMatchObject({ tool: 'do_something' });
      expect(Number(line.ms)).toBeGreaterThan(BLOCK_MS * 0.8);
      expect(JSON.stringify(line.frames)).toContain('assistant.js');
      await fleet.hangUp([caller]);
      return apart(caller) ?? gap;
    }, BLOCK_MS + GAP_MS);
  }, 300_000);

  it('hear nothing of a process that grows: it gets no more calls, and the log names the call', async () => {
    await undisturbed(async () => {
      const caller = await call('grows');
      const gap = await gapWhile(() => ask(caller));
      const line = await lineOf(caller, 'call host gets no more calls');
      expect(line).toMatchObject({ reason: 'memory_limit' });
      const next = await call();
      expect(pid(next)).not.toBe(pid(caller));
      await fleet.hangUp([caller, next]);
      return apart(caller) ?? gap;
    });
    // Its tool still runs; its slot is free all the same.
    await fleet.hangUp([never]);
    await lineOf(never, 'call ended');
    expect(neighbours.map((caller) => caller.agentPresent)).toEqual([true, true]);
  }, 300_000);
});
