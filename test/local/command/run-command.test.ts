// SPDX-License-Identifier: Apache-2.0

import { afterEach, describe, expect, it, jest } from '@jest/globals';
import { parsePort, warnRenamedScript } from '../../../local/command/run-command.js';

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
