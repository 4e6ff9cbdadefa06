// SPDX-License-Identifier: Apache-2.0
// Plain JavaScript: a worker thread starts outside the loaders (tsx, Jest) that run the TypeScript.
// @ts-check
import { writeSync } from 'node:fs';
import { Session } from 'node:inspector';
import { hostname } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ cells: BigInt64Array, blockedMs: number, lastingMs: number, inspectEveryMs: number, everyMs: number, leaveMs: number, parent: number }} */
const { cells, blockedMs, lastingMs, inspectEveryMs, everyMs, leaveMs, parent } = workerData;
const HEARTBEAT = 0;
const INSPECTED = 1;
const INSPECTIONS = 2;

/** Set by installCallLogging, see call-context.ts. */
const RUNNING_CALL = "globalThis[Symbol.for('nova-sonic-agent:running-call')]?.()";
const WARN = 40;

/**
 * The stall that goes on, by its last heartbeat, so that each is looked into once.
 * @type {{ beat: bigint, found?: { call?: { callId: string, tool?: string }, frames: string[] }, inspected: boolean, logged: boolean }}
 */
let stall = { beat: 0n, inspected: false, logged: false };
let inspectedAt = 0;
let orphanAt = 0;

setInterval(() => {
  endOrphan();
  const beat = Atomics.load(cells, HEARTBEAT);
  const ms = Date.now() - Number(beat);
  // The other thread counts from when the next heartbeat was due.
  if (ms < blockedMs + everyMs) return;
  if (beat !== stall.beat) stall = { beat, inspected: false, logged: false };
  // A look costs little beside a stall that lasts.
  if (!stall.inspected && (Date.now() - inspectedAt >= inspectEveryMs || ms > lastingMs)) {
    stall.inspected = true;
    inspectedAt = Date.now();
    Atomics.store(cells, INSPECTED, beat);
    inspect(beat);
  } else if (ms > lastingMs && stall.found && !stall.logged) {
    stall.logged = true;
    logLasting(ms, stall.found);
  }
}, everyMs);

/** The other thread leaves when it learns that the worker has died, which it may never do while it is blocked. */
function endOrphan() {
  if (process.ppid === parent) return;
  orphanAt ||= Date.now();
  if (Date.now() - orphanAt > leaveMs) process.kill(process.pid, 'SIGKILL');
}

/**
 * Straight to the log: the streams of a thread go through the thread that is blocked.
 * @param {number} ms
 * @param {{ call?: { callId: string, tool?: string }, frames: string[] }} found
 */
function logLasting(ms, { call, frames }) {
  const line = {
    level: WARN,
    time: Date.now(),
    pid: process.pid,
    hostname: hostname(),
    ms,
    call_id: call?.callId,
    tool: call?.tool,
    frames,
    msg: 'event loop is blocked',
  };
  writeSync(1, `${JSON.stringify(line)}\n`);
}

/**
 * Pauses the blocked thread for a moment and reads which call it runs code for, and where that code is.
 * @param {bigint} beat
 */
function inspect(beat) {
  const session = new Session();
  session.connectToMainThread();
  /** @type {Map<string, string>} */
  const urls = new Map();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  session.on('Debugger.paused', ({ params }) => {
    // Node's own functions on top of the stack say nothing, and have globals of their own.
    const frames = params.callFrames
      .map((frame) => ({ ...frame, url: urls.get(frame.location.scriptId) ?? '' }))
      .filter(({ url }) => url && !url.startsWith('node:'));
    session.post(
      'Debugger.evaluateOnCallFrame',
      { callFrameId: frames[0]?.callFrameId ?? '', expression: RUNNING_CALL, returnByValue: true },
      (error, answer) => {
        const found = {
          call: error ? undefined : answer.result.value,
          frames: frames.slice(0, 5).map(({ functionName, url, location }) => {
            return `${functionName || '(anonymous)'} ${url.split('/').at(-1)}:${location.lineNumber + 1}`;
          }),
        };
        parentPort?.postMessage({ beat, ...found });
        if (stall.beat === beat) stall.found = found;
        Atomics.add(cells, INSPECTIONS, 1n);
        session.post('Debugger.resume');
        session.post('Debugger.disable');
        session.disconnect();
      },
    );
  });
  session.post('Debugger.enable');
  // When the thread runs again before it could be paused, it pauses at its next statement: a finding always comes.
  session.post('Debugger.pause');
}
