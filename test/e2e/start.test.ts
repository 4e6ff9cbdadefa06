// SPDX-License-Identifier: Apache-2.0

import { jest } from '@jest/globals';
import { Command } from './support.js';

jest.setTimeout(180_000);

// One that a failed test leaves running would fail the tests after it.
afterEach(() => Command.killAll());

describe('npm start', () => {
  it('prints the addresses, serves npm run call, and leaves no process behind after Ctrl-C', async () => {
    const start = new Command('start');
    await start.line(/^ready/);
    expect(await start.line(/LiveKit/)).toMatch(/ws:\/\/127\.0\.0\.1:\d+/);

    const call = new Command('call');
    await call.succeeds();
    expect(call.stderr).toContain('calling the agent that `npm start` is running');

    const second = new Command('start');
    expect(await second.exited).toBe(2);
    expect(second.stderr).toContain('It is running already');

    start.interrupt();
    await start.exited;
    expect(await start.leftovers()).toEqual([]);
  });

  it('ends the active call and exits on Ctrl-C', async () => {
    const start = new Command('start', ['--verbose']);
    await start.line(/^ready/);
    const call = new Command('call');
    await call.line(/agent {2}\S/);
    start.interrupt();
    await start.exited;
    // The agent would wait two minutes for its callers elsewhere. Here it would be killed, and say nothing at its end.
    expect(start.stderr).toContain('"msg":"worker ended"');
    await call.exited;
    expect(call.stderr + call.stdout).toContain('the agent left the call');
    expect(await start.leftovers()).toEqual([]);
  });

  it.each([
    [['--port', 'abc'], /argument 'abc' is invalid\. Give a number from 1 to 65535/],
    [['--scenario', '/nope.yaml'], /^There is no scenario \/nope\.yaml: give the path of a file/],
    [['--bedrock', 'gcp'], /Allowed choices are emulator, aws/],
  ])('refuses %j in one sentence, before it starts anything', async (args, sentence) => {
    const start = new Command('start', args);
    expect(await start.exited).toBeGreaterThan(0);
    expect(start.stderr.trim()).toMatch(sentence);
    expect(start.stderr.trim().split('\n')).toHaveLength(1);
    expect(start.stdout).toBe('');
  });

  it('leaves no process behind when it is killed with SIGKILL', async () => {
    const start = new Command('start');
    await start.line(/^ready/);
    expect(start.processes().length).toBeGreaterThan(3);
    // Only the process of ours: what it started must notice by itself.
    for (const { pid, command } of start.processes())
      if (command.includes('local/start.ts') && !command.includes('kill-with-parent'))
        process.kill(pid, 'SIGKILL');
    expect(await start.leftovers()).toEqual([]);
  });

  it('reports missing AWS credentials in one sentence', async () => {
    const start = new Command('start', ['--bedrock', 'aws'], {
      AWS_EC2_METADATA_DISABLED: 'true',
      AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
      AWS_CONFIG_FILE: '/nonexistent',
    });
    expect(await start.exited).toBe(2);
    expect(start.stderr.trim()).toMatch(/^There are no AWS credentials on this machine: run `aws/);
  });
});
