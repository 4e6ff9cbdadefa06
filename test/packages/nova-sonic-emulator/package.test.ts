// SPDX-License-Identifier: Apache-2.0
// The package as its users install it: packed, built, without the sources; speech and schema are found from dist.
import { readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { installPacked, type PackedPackage, run } from '../../support/packed-package.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
/** Builds and programs in processes of their own, beside whatever else a machine does. */
const TIMEOUT_MS = 300_000;
let emulator: PackedPackage;

beforeAll(() => {
  // Without its optional peer.
  emulator = installPacked('nova-sonic-emulator', ['text2wav']);
}, TIMEOUT_MS);
afterAll(() => emulator.remove());

test('it contains code, types, README, schema and scenarios, and no sources', () => {
  const files = [
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'scenario.schema.json',
    'scenarios',
  ];
  expect(readdirSync(emulator.installed).sort()).toEqual(files);
  for (const file of ['index.js', 'index.d.ts', 'cli.js', 'speech/speech-worker.js']) {
    expect(readFileSync(join(emulator.installed, 'dist', file), 'utf8')).toMatch(/\w/);
  }
});

test(
  'publint and Are The Types Wrong find nothing',
  () => {
    const program = join(ROOT, 'test/packages/publish-checks.mjs');
    expect(run(process.execPath, [program, emulator.tarball, '--esm-only'], ROOT)).toBe('');
  },
  TIMEOUT_MS,
);

test(
  'each exported name and each public member is documented',
  () => {
    const entries = ['index.d.ts', 'speech/speech-synthesizer.d.ts'];
    const paths = entries.map((file) => join(emulator.installed, 'dist', file));
    const program = join(ROOT, 'test/packages/public-docs.mjs');
    expect(run(process.execPath, [program, ...paths], ROOT)).toBe('');
  },
  TIMEOUT_MS,
);

test('its command prints the flags', () => {
  const help = run(
    process.execPath,
    [join(emulator.installed, 'dist/cli.js'), '--help'],
    emulator.folder,
  );
  expect(help).toMatch(/^Usage: nova-sonic-emulator /);
  expect(help).toContain('--scenario <file>');
});

test(
  'without text2wav it speaks without words; with it, in words',
  () => {
    writeFileSync(join(emulator.folder, 'conversation.mjs'), CONVERSATION);
    const [said, sound] = run(process.execPath, ['conversation.mjs'], emulator.folder)
      .trim()
      .split('\n');
    expect(said).toBe('Good day.');
    expect(Number(sound)).toBeGreaterThan(4000);

    const peer = join(emulator.folder, 'node_modules/text2wav');
    symlinkSync(join(ROOT, 'node_modules/text2wav'), peer);
    const [text, bytes] = run(process.execPath, ['conversation.mjs'], emulator.folder)
      .trim()
      .split('\n');
    expect(text).toBe('Good day.');
    // More than half a second of speech at 8 kHz.
    expect(Number(bytes)).toBeGreaterThan(8000);
    expect(bytes).not.toBe(sound);
  },
  TIMEOUT_MS,
);

/** A client that types one text: prints the reply and its bytes of audio. */
const CONVERSATION = `
import { BedrockRuntimeClient, InvokeModelWithBidirectionalStreamCommand } from '@aws-sdk/client-bedrock-runtime';
import { startEmulator } from 'nova-sonic-emulator';
import { SpeechSynthesizer } from 'nova-sonic-emulator/speech';

if (typeof SpeechSynthesizer !== 'function') throw new Error('./speech');
const emulator = await startEmulator({
  profile: 'fast',
  scenario: { turns: [{ on: 'text', reply: 'Good day.' }] },
});
const client = new BedrockRuntimeClient({
  region: 'us-east-1',
  endpoint: emulator.url,
  credentials: emulator.credentials,
});
let finish;
const finished = new Promise((resolve) => (finish = resolve));
const lpcm = { mediaType: 'audio/lpcm', sampleSizeBits: 16, channelCount: 1, encoding: 'base64', audioType: 'SPEECH' };
const text = { mediaType: 'text/plain' };
const at = (contentName) => ({ promptName: 'p', contentName });
async function* input() {
  const event = (name, body) => ({ chunk: { bytes: Buffer.from(JSON.stringify({ event: { [name]: body } })) } });
  yield event('sessionStart', { inferenceConfiguration: { maxTokens: 1024, topP: 0.9, temperature: 0.7 } });
  yield event('promptStart', { promptName: 'p', audioOutputConfiguration: { ...lpcm, sampleRateHertz: 8000, voiceId: 'amy' } });
  yield event('contentStart', { ...at('s'), type: 'TEXT', role: 'SYSTEM', interactive: false, textInputConfiguration: text });
  yield event('textInput', { ...at('s'), content: 'Be brief.' });
  yield event('contentEnd', at('s'));
  yield event('contentStart', { ...at('a'), type: 'AUDIO', role: 'USER', interactive: true, audioInputConfiguration: { ...lpcm, sampleRateHertz: 16000 } });
  yield event('audioInput', { ...at('a'), content: Buffer.alloc(3200).toString('base64') });
  yield event('contentStart', { ...at('t'), type: 'TEXT', role: 'USER', interactive: true, textInputConfiguration: text });
  yield event('textInput', { ...at('t'), content: 'Hello.' });
  yield event('contentEnd', at('t'));
  await finished;
  yield event('contentEnd', at('a'));
  yield event('promptEnd', { promptName: 'p' });
  yield event('sessionEnd', {});
}
const { body } = await client.send(
  new InvokeModelWithBidirectionalStreamCommand({ modelId: 'amazon.nova-2-sonic-v1:0', body: input() }),
);
let bytes = 0;
for await (const { chunk } of body) {
  const [[name, event]] = Object.entries(JSON.parse(Buffer.from(chunk.bytes)).event);
  if (name === 'textOutput' && bytes === 0) console.log(event.content);
  if (name === 'audioOutput') bytes += Buffer.byteLength(event.content, 'base64');
  if (name === 'contentEnd' && event.type === 'AUDIO') finish();
}
console.log(bytes);
await emulator.close();
process.exit(0);
`;
