// SPDX-License-Identifier: Apache-2.0
// `compare` between the emulator and a server that shares nothing with it (go/server), which breaks one rule at a time.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { type Emulator, startEmulator } from 'nova-sonic-emulator';
import { compareEndpoints } from '../../packages/nova-sonic-emulator/src/compare/compare.js';
import { CONVERSATIONS } from '../../packages/nova-sonic-emulator/src/compare/conversations.js';

const HERE = fileURLToPath(new URL('go', import.meta.url));
const PROGRAM = '../../../.cache/peers/go-server';
const BUILD_MS = 600_000;
const COMPARE_MS = 120_000;
const OPTIONS = { modelId: 'amazon.nova-2-sonic-v1:0', patienceMs: 60_000, pace: 1 };
/** What the server can do. */
const CONVERSED = CONVERSATIONS.filter(({ name, rule }) => rule || name === 'typed text');

const missing = (await execa('which', ['go'], { reject: false })).failed;
const why = 'The other server cannot be built: go is not installed.';
if (missing && process.env.CI) throw new Error(why);
if (missing) process.stderr.write(`\n*** SKIPPED: ${why} ***\n\n`);

(missing ? describe.skip : describe)('compare between the emulator and another server', () => {
  let emulator: Emulator;
  let stop = () => {};

  beforeAll(async () => {
    emulator = await startEmulator({
      scenario: { turns: [{ on: 'text', repeat: true, reply: 'Hello.' }] },
    });
    await execa('go', ['build', '-o', PROGRAM, './server'], { cwd: HERE });
  }, BUILD_MS);
  afterEach(() => stop());
  afterAll(() => emulator?.close());

  async function compareWith(args: string[]) {
    const server = execa(PROGRAM, args, { cwd: HERE, reject: false });
    stop = () => server.kill();
    const [url] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const { credentials } = emulator;
    const region = 'us-east-1';
    const { observations, differences } = await compareEndpoints(
      { url: emulator.url, credentials, region },
      { url, credentials, region },
      OPTIONS,
      CONVERSED,
    );
    expect(observations).toHaveLength(CONVERSED.length);
    // The server answers at once, and this machine is busy.
    return differences.filter(({ what }) => what !== 'timing');
  }

  it(
    'finds nothing when the server breaks no rule',
    async () => {
      expect(await compareWith([])).toEqual([]);
    },
    COMPARE_MS,
  );

  it.each([
    // Accepts what others refuse, and the other way round.
    'schema-string',
    'tool-name',
  ])(
    'finds the rule that the server breaks, and only that: %s',
    async (rule) => {
      const found = await compareWith(['-break', rule]);
      expect(found.map(({ what, subject }) => [what, subject])).toEqual([['rule', rule]]);
      expect([found[0]?.left, found[0]?.right].filter((end) => end === 'accepted')).toHaveLength(1);
    },
    COMPARE_MS,
  );
});
