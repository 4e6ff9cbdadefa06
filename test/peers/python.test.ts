// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Emulator, startEmulator } from 'nova-sonic-emulator';
import {
  cannotTrust,
  findPython,
  type PeerEvent,
  peerEnvironment,
  runTrusting,
  writePeerWav,
} from '../../local/peers/python.js';
import { speechSamples } from '../packages/nova-sonic-emulator/support/client.js';

/** Packages of each environment. */
const PACKAGES = {
  'livekit-plugins-aws-1.8.9': [
    'livekit-plugins-aws[realtime]==1.8.9',
    'livekit-agents==1.8.9',
    'aws-sdk-bedrock-runtime==0.12.0',
  ],
  'aws-sdk-0.4.0': ['aws-sdk-bedrock-runtime==0.4.0'],
} as const;
type Environment = keyof typeof PACKAGES;
const SCENARIO = fileURLToPath(new URL('./peer.yaml', import.meta.url));
/** A first run installs the packages from the registry. */
const INSTALL_MS = 600_000;
const CALL_MS = 100_000;

const python = await findPython();
const obstacle = python
  ? await cannotTrust()
  : 'there is no Python 3.12 (the plugin needs it); install python3.12 with venv';
if (obstacle && process.env.CI) throw new Error(`The Python peers cannot run: ${obstacle}.`);
if (obstacle) process.stderr.write(`\n*** SKIPPED, the Python peers: ${obstacle}. ***\n\n`);

(obstacle ? describe.skip : describe)('Python clients, unmodified, against the emulator', () => {
  let emulator: Emulator;
  let folder: string;
  const pythons = new Map<string, string>();

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'peers-'));
    emulator = await startEmulator({ scenario: SCENARIO });
    const install = async ([name, packages]: [string, readonly string[]]) =>
      pythons.set(name, await peerEnvironment(python as string, name, packages));
    await Promise.all(Object.entries(PACKAGES).map(install));
  }, INSTALL_MS);

  afterAll(async () => {
    await emulator?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const run = async (script: string, name: Environment, args: string[] = []) => {
    const { accessKeyId, secretAccessKey } = emulator.credentials;
    const file = fileURLToPath(new URL(script, import.meta.url));
    return runTrusting(pythons.get(name) as string, file, [emulator.tlsUrl, ...args], {
      certFile: emulator.certFile,
      env: { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
      timeoutMs: CALL_MS - 10_000,
    });
  };
  const texts = (events: PeerEvent[], event: string) =>
    events.filter((line) => line.event === event).map(({ text }) => text as string);

  it(
    'livekit-plugins-aws 1.8.9 holds a conversation: greeting, question, tool call, barge-in, close',
    async () => {
      const question = join(folder, 'question.wav');
      const interruption = join(folder, 'interruption.wav');
      writePeerWav(question, await speechSamples('What time is it in Tokyo?'), 16_000);
      writePeerWav(interruption, await speechSamples('Stop please, that is enough.'), 16_000);
      const { events } = await run('python-plugin.py', 'livekit-plugins-aws-1.8.9', [
        question,
        interruption,
      ]);

      expect(texts(events, 'assistant')[0]).toBe('Good morning, caller.');
      expect(texts(events, 'user')).toContain('What time is it in Tokyo?');
      expect(events.find(({ event }) => event === 'tool')).toMatchObject({ city: 'Tokyo' });
      expect(texts(events, 'assistant')[1]).toContain('In Tokyo it is five past nine now.');
      expect(texts(events, 'assistant')[2]).toBe('As you wish.');
      const cut = events.find((line) => line.event === 'playback_finished' && line.interrupted);
      expect(cut?.played).toBeLessThan(cut?.pushed);
      expect(texts(events, 'error')).toEqual([]);
      expect(events.at(-1)?.event).toBe('closed');

      // The emulator's side of the same conversation.
      const [bargeIn] = emulator.events.seen('bargeIn');
      expect(bargeIn?.event).toEqual({ cause: 'speech' });
      const stopped = ((cut?.time as number) * 1000 - (bargeIn?.time as number)) / 1000;
      expect(Math.abs(stopped)).toBeLessThan(1);
      expect(emulator.events.seen('violation')).toEqual([]);
      const closing = emulator.events.seen('close').map(({ event }) => event.reason);
      expect(closing).toEqual(['sessionEnd']);
      expect(emulator.events.seen('completionEnd')).toHaveLength(1);
    },
    CALL_MS,
  );

  it.each<[string, Environment]>([
    ['0.4.0, the older API', 'aws-sdk-0.4.0'],
    ['0.12.0, the newer one', 'livekit-plugins-aws-1.8.9'],
  ])(
    'aws-sdk-bedrock-runtime %s: a typed greeting is heard, and the stream closes',
    async (_, name) => {
      const before = emulator.events.history.length;
      const { events } = await run('python-sdk.py', name);
      expect(texts(events, 'text')).toContain('Good morning, caller.');
      expect(events.find(({ event }) => event === 'spoken')?.seconds).toBeGreaterThan(1);
      expect(events.at(-1)?.event).toBe('closed');
      const recorded = emulator.events.history.slice(before);
      expect(recorded.filter(({ name }) => name === 'violation')).toEqual([]);
    },
    CALL_MS,
  );
});
