// SPDX-License-Identifier: Apache-2.0

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Child } from '../../../local/process/managed-process.js';

const node = process.execPath;
const LEASH = fileURLToPath(new URL('../../../local/process/kill-with-parent.js', import.meta.url));
/** Prints its own pid, then goes on for ever; with `stubborn` it ignores SIGTERM. */
const program = (stubborn = false) =>
  `${stubborn ? "process.on('SIGTERM', () => {});" : ''} console.log('pid ' + process.pid); setInterval(() => {}, 1000);`;

const gone = async (pid: number) => {
  const deadline = Date.now() + 10_000;
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

describe('Child', () => {
  it('gives the first line that fits, also when it was written before anyone asked', async () => {
    const child = new Child('talker', node, ['-e', "console.log('a'); console.log('ready 1')"]);
    await child.exited;
    expect(await child.line((line) => line.startsWith('ready'), 1000)).toBe('ready 1');
  });

  it('fails with the last lines when the program ends before it is ready', async () => {
    const child = new Child('quitter', node, ['-e', "console.error('no disk'); process.exit(3)"]);
    await expect(child.line((line) => line === 'ready', 10_000)).rejects.toThrow(
      /quitter ended with code 3:\nno disk/,
    );
  });

  it('is gone after stop()', async () => {
    const child = new Child('sleeper', node, ['-e', program()]);
    const pid = pidOf(await child.line((line) => line.startsWith('pid'), 10_000));
    await child.stop();
    expect(await gone(pid)).toBe(true);
  });

  it('is killed when it does not end in its grace time', async () => {
    const child = new Child('stubborn', node, ['-e', program(true)], { graceMs: 200 });
    const pid = pidOf(await child.line((line) => line.startsWith('pid'), 10_000));
    await child.stop();
    expect(await gone(pid)).toBe(true);
  });

  it('ends when the process that started it is killed outright', async () => {
    // The parent holds the leash's standard input, as Child does, and is then killed with no chance to clean up.
    const parent = spawn(node, [
      '-e',
      `require('node:child_process').spawn(process.execPath, [${JSON.stringify(LEASH)}, process.execPath, '-e', ${JSON.stringify(program())}], { stdio: ['pipe', 'inherit', 'inherit'] }); setInterval(() => {}, 1000)`,
    ]);
    const [line] = (await once(createInterface({ input: parent.stdout }), 'line')) as [string];
    parent.kill('SIGKILL');
    expect(await gone(pidOf(line))).toBe(true);
  });
});
