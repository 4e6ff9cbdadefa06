// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it, jest } from '@jest/globals';
import { createProgram } from '../../../local/phone.js';

/** Parses a command line without running it. @returns what is printed about it, and whether anything would run */
function parse(...args: string[]) {
  let error = '';
  const run = jest.fn(() => {});
  const program = createProgram(run);
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeErr: (text) => (error += text) });
  try {
    program.parse(args, { from: 'user' });
  } catch {
    // What commander throws instead of exiting; it has printed the reason.
  }
  return { error: error.trim(), runs: run.mock.calls.length };
}

describe('the command line of npm run phone', () => {
  it.each([
    [[]],
    [['show', '--stack', 'voice-agent']],
    [['--stack', 'voice-agent', '--region', 'us-east-1']],
    [['inbound', '--number', '+15551234567', '+15557654321', '--from', 'any', '--dry-run']],
    [['outbound', '--address', 'sip.telnyx.com:5061', '--transport', 'tls']],
    [['remove', '--only', 'outbound']],
  ])('takes %j', (args) => {
    expect(parse(...args)).toEqual({ error: '', runs: 1 });
  });

  it.each([
    [['inbound', '--number', '555 1234'], /"555 1234" is not a telephone number in E\.164 form/],
    [['inbound', '--caller', 'nobody'], /"nobody" is not a telephone number/],
    [['outbound', '--address', 'sip:bob@example.com'], /Give the host alone, without sip:/],
    [['outbound', '--transport', 'pigeon'], /Allowed choices are auto, udp, tcp, tls/],
    [['inbond', '--number', '+15551234567'], /there is no command "inbond", only show, inbound/],
    [['--nmae', 'x'], /unknown option '--nmae'/],
    [['inbound', 'now'], /too many arguments/],
  ])('refuses %j in one sentence', (args, sentence) => {
    const { error, runs } = parse(...args);
    expect(error).toMatch(sentence);
    expect(error.split('\n')).toHaveLength(1);
    expect(runs).toBe(0);
  });
});
