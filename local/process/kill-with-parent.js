// SPDX-License-Identifier: Apache-2.0

// Runs one program and takes it down when our own process is gone, however it went (Ctrl-C, crash, kill -9):
// the operating system closes our end of its standard input, and no handler of ours has to run for that.
// Plain JavaScript, because it starts before any loader.

import { spawn } from 'node:child_process';

const GRACE_MS = Number(process.env.LEASH_GRACE_MS ?? 5000);
const [command, ...args] = process.argv.slice(2);
// A process group of its own: Ctrl-C in the terminal reaches only the process that decides the order of things.
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
    // The group is gone already.
  }
}

let stopping = false;
function stop() {
  if (stopping) return;
  stopping = true;
  child.kill('SIGTERM');
  setTimeout(() => signalGroup('SIGKILL'), GRACE_MS).unref();
}
process.stdin.resume();
process.stdin.on('end', stop);
process.stdin.on('error', stop);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
// A crash on request, for tests of what follows one.
process.on('SIGUSR2', () => signalGroup('SIGKILL'));
