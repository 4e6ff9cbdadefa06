// SPDX-License-Identifier: Apache-2.0

// The process of all attendants of a worker; the worker starts it as `attendant-process.js AGENT_NAME BUSY_WAV FULL_WAV`.
// It loads no framework, and what happens to it happens to no call.

import { dispose } from '@livekit/rtc-node';
import { Attendant } from './attendant.js';
import type { AttendantReport, AttendantRequest, AttendantTask } from './attendant-messages.js';
import { holdMusic } from './hold-music.js';
import { readLineRecordings } from './line-recordings.js';

/** The native clean-up may hang. */
const LEAVE_MS = 5_000;

const [agentName = '', busy = '', full = ''] = process.argv.slice(2);
const recordings = readLineRecordings({ busy, full });
const music = {
  wait: holdMusic(recordings.busy.sampleRate),
  // Nothing is played to somebody who is told to hang up.
  turn_away: new Int16Array(1),
};
const attendants = new Map<string, Attendant>();

function report(message: AttendantReport): void {
  if (process.connected) process.send?.(message);
}

async function attend(task: AttendantTask): Promise<void> {
  const { room, part } = task;
  const startedAt = performance.now();
  const attendant = new Attendant(task, {
    agentName,
    words: part === 'wait' ? recordings.busy : recordings.full,
    music: music[part],
    onSpeaking: () => report({ type: 'speaking', room, ms: performance.now() - startedAt }),
  });
  attendants.set(room, attendant);
  const outcome = await attendant.run();
  attendants.delete(room);
  report({ type: 'ended', room, outcome });
}

process.on('message', (request: AttendantRequest) => {
  if (request.type === 'attend') void attend(request.task);
  else attendants.get(request.room)?.leave();
});
// The worker decides when waiting callers are left alone: not a Ctrl-C, which the terminal sends to all its processes.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => {});
process.on('disconnect', leave);
// The worker ended while this process was being loaded.
if (!process.connected) leave();

function leave(): void {
  setTimeout(() => process.exit(0), LEAVE_MS);
  for (const attendant of attendants.values()) attendant.leave();
  // Without this the native threads may abort the process while it exits (livekit/node-sdks#564).
  void dispose().finally(() => process.exit(0));
}
