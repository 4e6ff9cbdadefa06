// SPDX-License-Identifier: Apache-2.0

import { EventEmitter } from 'node:events';
import { afterEach, describe, expect, it, jest } from '@jest/globals';
import {
  parsePort,
  untilInterrupted,
  warnRenamedScript,
} from '../../../local/command/run-command.js';

afterEach(() => {
  jest.restoreAllMocks();
});

describe('warnRenamedScript', () => {
  const linesFor = (script: string) => {
    const write = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    warnRenamedScript(script);
    return write.mock.calls.map(([text]) => String(text));
  };

  it.each([
    ['converse', 'call'],
    ['talk', 'playground'],
  ])('names the new script of npm run %s in one line', (old, renamed) => {
    const lines = linesFor(old);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain(`\`npm run ${old}\` is now \`npm run ${renamed}\``);
  });

  it.each(['call', 'playground', 'start', 'constructor'])('is silent for npm run %s', (script) => {
    expect(linesFor(script)).toEqual([]);
  });
});

describe('parsePort', () => {
  it('accepts 0 to 65535 and nothing else', () => {
    expect(['0', '3000', '65535'].map(parsePort)).toEqual([0, 3000, 65535]);
    for (const value of ['', '-1', '65536', '1.5', 'abc'])
      expect(() => parsePort(value)).toThrow(/from 1 to 65535/);
  });
});

describe('untilInterrupted', () => {
  const start = () => {
    jest.spyOn(process.stderr, 'write').mockReturnValue(true);
    const exit = jest.fn();
    const target = Object.assign(new EventEmitter(), { exit }) as unknown as NodeJS.Process;
    const time = { now: 1_000 };
    return { target, exit, time, interrupted: untilInterrupted(target, () => time.now) };
  };

  it('resolves at the first signal, and exits at the next', async () => {
    const { target, exit, time, interrupted } = start();
    target.emit('SIGINT', 'SIGINT');
    await interrupted;
    expect(exit).not.toHaveBeenCalled();
    time.now += 1_000;
    target.emit('SIGINT', 'SIGINT');
    expect(exit).toHaveBeenCalledWith(130);
  });

  it('takes a Ctrl-C that npm or tsx passes on for the same', async () => {
    const { target, exit, time, interrupted } = start();
    target.emit('SIGINT', 'SIGINT');
    time.now += 60;
    target.emit('SIGINT', 'SIGINT');
    time.now += 60;
    target.emit('SIGTERM', 'SIGTERM');
    await interrupted;
    expect(exit).not.toHaveBeenCalled();
  });
});
