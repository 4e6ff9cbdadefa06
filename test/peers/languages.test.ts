// SPDX-License-Identifier: Apache-2.0
// The unmodified AWS SDKs of other languages hold a conversation with the emulator, signatures checked: a typed greeting, a
// spoken question that is answered with a tool, a barge-in. PEERS=java,rust (or all) adds those whose set-up takes long.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { execa } from 'execa';
import { type Emulator, startEmulator } from 'nova-sonic-emulator';
import { speechSamples } from '../packages/nova-sonic-emulator/support/client.js';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const SET_UP_MS = 600_000;
const CALL_MS = 120_000;

interface Peer {
  language: string;
  folder: string;
  /** What must be installed; the peer is left out where it is not, but for CI. */
  needs: string;
  build: [command: string, ...args: string[]];
  run: [command: string, ...args: string[]];
  /** Its set-up takes more than two minutes. */
  slow?: boolean;
}

const PEERS: Peer[] = [
  {
    language: 'Go',
    folder: 'go',
    needs: 'go',
    build: ['go', 'build', '-o', '../../../.cache/peers/go-peer', '.'],
    run: ['../../../.cache/peers/go-peer'],
  },
  {
    language: 'Java',
    folder: 'java',
    needs: 'mvn',
    build: ['mvn', '--quiet', '--batch-mode', 'package', 'dependency:copy-dependencies'],
    run: ['java', '-cp', 'target/classes:target/dependency/*', 'NovaSonicPeer'],
    slow: true,
  },
  {
    language: 'Rust',
    folder: 'rust',
    needs: 'cargo',
    build: ['cargo', 'build', '--quiet', '--locked'],
    run: ['target/debug/nova-sonic-peer'],
    slow: true,
  },
];

const added = (process.env.PEERS ?? '').toLowerCase().split(',');
const wanted = PEERS.filter(
  ({ slow, language }) => !slow || added.includes('all') || added.includes(language.toLowerCase()),
);
const installed = await Promise.all(
  wanted.map(async (peer) => ({
    peer,
    missing: (await execa('which', [peer.needs], { reject: false })).failed,
  })),
);
for (const { peer, missing } of installed) {
  const why = `The ${peer.language} peer cannot run: ${peer.needs} is not installed.`;
  if (missing && process.env.CI) throw new Error(why);
  if (missing) process.stderr.write(`\n*** SKIPPED: ${why} ***\n\n`);
}
const peers = installed.filter(({ missing }) => !missing).map(({ peer }) => peer);

describe('SDKs of other languages, unmodified, against the emulator', () => {
  let emulator: Emulator;
  let folder: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peers-'));
    emulator = await startEmulator({ scenario: join(HERE, 'peer.yaml') });
    for (const [name, text] of [
      ['question', 'What time is it in Tokyo?'],
      ['interruption', 'Stop please, that is enough.'],
    ] as const) {
      const samples = await speechSamples(text);
      writeFileSync(join(folder, `${name}.pcm`), Buffer.from(samples.buffer));
    }
    for (const { build, folder: where } of peers) {
      const [command, ...args] = build;
      await execa(command, args, { cwd: join(HERE, where) });
    }
  }, SET_UP_MS);
  afterAll(async () => {
    await emulator?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(peers)(
    '$language: greeting, question, tool call, barge-in, close',
    async ({ run, folder: where }) => {
      const before = emulator.events.history.length;
      const [command, ...args] = run;
      const { accessKeyId, secretAccessKey } = emulator.credentials;
      const { stdout } = await execa(
        command,
        [...args, join(folder, 'question.pcm'), join(folder, 'interruption.pcm')],
        {
          cwd: join(HERE, where),
          timeout: CALL_MS - 10_000,
          env: {
            AWS_ENDPOINT_URL_BEDROCK_RUNTIME: emulator.tlsUrl,
            AWS_REGION: 'us-east-1',
            AWS_ACCESS_KEY_ID: accessKeyId,
            AWS_SECRET_ACCESS_KEY: secretAccessKey,
            AWS_CA_BUNDLE: emulator.certFile,
          },
        },
      );
      const events = stdout.split('\n').map((line) => JSON.parse(line));
      const texts = events.filter(({ event }) => event === 'text');
      const said = (role: string) => texts.filter((e) => e.role === role).map((e) => e.text);
      expect(said('ASSISTANT')[0]).toBe('Good morning, caller.');
      expect(said('USER')).toEqual(['What time is it in Tokyo?', 'Stop, please.']);
      expect(said('ASSISTANT')).toContain('In Tokyo it is five past nine now.');
      expect(said('ASSISTANT')).toContain('As you wish.');
      expect(events.filter(({ event }) => event === 'tool')).toEqual([
        { event: 'tool', name: 'get_current_time' },
      ]);
      expect(events.some(({ event }) => event === 'interrupted')).toBe(true);
      expect(events.at(-1)?.event).toBe('closed');

      const recorded = emulator.events.history.slice(before);
      expect(recorded.filter(({ name }) => name === 'violation' || name === 'warning')).toEqual([]);
      // The reply to the question is interrupted; the greeting may be, too.
      const names = recorded.map(({ name }) => name);
      expect(names.lastIndexOf('bargeIn')).toBeGreaterThan(names.indexOf('toolResult'));
      expect(recorded.find(({ name }) => name === 'close')?.event.reason).toBe('sessionEnd');
    },
    CALL_MS,
  );
});
