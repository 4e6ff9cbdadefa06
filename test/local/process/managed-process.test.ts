// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ManagedProcess } from '../../../local/process/managed-process.js';

const node = process.execPath;
/** A starved machine takes seconds to start a process. */
const PATIENCE_MS = 60_000;
const KILL_WITH_PARENT = fileURLToPath(
  new URL('../../../local/process/kill-with-parent.js', import.meta.url),
);
/** Prints its own pid, then runs until it is killed; with `stubborn` it ignores SIGTERM. */
const program = (stubborn = false) =>
  `${stubborn ? "process.on('SIGTERM', () => {});" : ''} console.log('pid ' + process.pid); setInterval(() => {}, 1000);`;

const hasEnded = async (pid: number) => {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return true;
    }
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

const pidOf = (line: string) => Number(line.split(' ')[1]);

describe('ManagedProcess', () => {
  it('resolves with the first matching line, even one written before the wait', async () => {
    const child = new ManagedProcess('talker', node, [
      '-e',
      "console.log('a'); console.log('ready 1')",
    ]);
    await child.exited;
    expect(await child.waitForLine((line) => line.startsWith('ready'), PATIENCE_MS)).toBe(
      'ready 1',
    );
  });

  it('fails with the last lines when the program ends before it is ready', async () => {
    const child = new ManagedProcess('quitter', node, [
      '-e',
      "console.error('no disk'); process.exit(3)",
    ]);
    await expect(child.waitForLine((line) => line === 'ready', PATIENCE_MS)).rejects.toThrow(
      /quitter ended with code 3:\nno disk/,
    );
  });

  it('has ended after stop()', async () => {
    const child = new ManagedProcess('sleeper', node, ['-e', program()]);
    const pid = pidOf(await child.waitForLine((line) => line.startsWith('pid'), PATIENCE_MS));
    await child.stop();
    expect(await hasEnded(pid)).toBe(true);
  });

  it('is killed when it does not end within its grace time', async () => {
    const child = new ManagedProcess('stubborn', node, ['-e', program(true)], { graceMs: 200 });
    const pid = pidOf(await child.waitForLine((line) => line.startsWith('pid'), PATIENCE_MS));
    await child.stop();
    expect(await hasEnded(pid)).toBe(true);
  });

  it('ends when its parent process is killed', async () => {
    // The parent holds the standard input of kill-with-parent.js, as ManagedProcess does, and cannot clean up.
    const parent = spawn(node, [
      '-e',
      `require('node:child_process').spawn(process.execPath, [${JSON.stringify(KILL_WITH_PARENT)}, process.execPath, '-e', ${JSON.stringify(program())}], { stdio: ['pipe', 'inherit', 'inherit'] }); setInterval(() => {}, 1000)`,
    ]);
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    parent.kill('SIGKILL');
    expect(await hasEnded(pidOf(line))).toBe(true);
  });
});
