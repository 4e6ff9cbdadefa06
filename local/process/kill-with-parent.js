// SPDX-License-Identifier: Apache-2.0

// Runs one program and kills it when the parent process is gone, for whatever reason (Ctrl-C, crash, kill -9): the
// operating system then closes this process's standard input. Exit handlers of the parent do not run after SIGKILL.
// Plain JavaScript, because it starts before any loader.

import { spawn } from 'node:child_process';

const KILL_GRACE_MS = Number(process.env.KILL_GRACE_MS ?? 5000);
const [command, ...args] = process.argv.slice(2);
// A process group of its own: Ctrl-C in the terminal reaches only the parent, which decides the order of shutdown.
const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'], detached: true });

child.on('error', (error) => {
  process.stderr.write(`${command}: ${error.message}\n`);
  process.exit(127);
});
child.on('exit', (code, signal) => {
  signalGroup('SIGKILL');
  process.exit(code ?? (signal ? 128 : 1));
});

function signalGroup(signal) {
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group has ended already.
  }
}

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  child.kill('SIGTERM');
  setTimeout(() => signalGroup('SIGKILL'), KILL_GRACE_MS).unref();
}
process.stdin.resume();
process.stdin.on('end', stop);
process.stdin.on('error', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
// Simulates a crash (ManagedProcess.kill).
process.on('SIGUSR2', () => signalGroup('SIGKILL'));
