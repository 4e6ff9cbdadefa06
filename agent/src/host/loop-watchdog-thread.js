// SPDX-License-Identifier: Apache-2.0
// Plain JavaScript: a worker thread starts outside the loaders (tsx, Jest) that run the TypeScript.
// @ts-check
import { Session } from 'node:inspector';
import { parentPort, workerData } from 'node:worker_threads';

/** @type {{ heartbeat: BigInt64Array, blockedMs: number, everyMs: number }} */
const { heartbeat, blockedMs, everyMs } = workerData;

/** Set by installCallLogging, see call-context.ts. */
const RUNNING_CALL = "globalThis[Symbol.for('nova-sonic-agent:running-call')]?.()";

/** The stall that was looked into, so that each is looked into once. */
let seen = 0n;

setInterval(() => {
  const beat = Atomics.load(heartbeat, 0);
  if (beat === 0n || beat === seen || Date.now() - Number(beat) < blockedMs) return;
  seen = beat;
  inspect();
}, everyMs);

/** Pauses the blocked thread for a moment and reads which call it runs code for, and where that code is. */
function inspect() {
  const session = new Session();
  session.connectToMainThread();
  const end = () => {
    session.post('Debugger.disable');
    session.disconnect();
  };
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
        parentPort?.postMessage({
          call: error ? undefined : answer.result.value,
          frames: frames.slice(0, 5).map(({ functionName, url, location }) => {
            return `${functionName || '(anonymous)'} ${url.split('/').at(-1)}:${location.lineNumber + 1}`;
          }),
        });
        session.post('Debugger.resume');
        end();
      },
    );
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
  // The thread came back before it could be paused: nothing to see.
  setTimeout(end, 5_000).unref();
}
