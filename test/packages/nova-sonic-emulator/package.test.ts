// SPDX-License-Identifier: Apache-2.0
// The package as its users install it: packed, built, without the sources; speech and schema are found from dist.
import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PACKAGE = join(ROOT, 'packages/nova-sonic-emulator');
let folder: string;
let installed: string;
let tarball: string;

const run = (command: string, args: string[], cwd: string) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** A checkout of the package alone: packing builds, and the real one's dist may be in use meanwhile. */
function checkout(): string {
  const root = join(folder, 'checkout');
  const copy = join(root, 'packages/nova-sonic-emulator');
  cpSync(PACKAGE, copy, { recursive: true, filter: (from) => from !== join(PACKAGE, 'dist') });
  copyFileSync(join(ROOT, 'tsconfig.json'), join(root, 'tsconfig.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return copy;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'emulator-package-'));
  const packed = run('npm', ['pack', '--silent', '--pack-destination', folder], checkout())
    .trim()
    .split('\n')
    .at(-1);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  // Everything but the package, and its optional peer, is taken from this checkout.
  for (const name of readdirSync(join(ROOT, 'node_modules'))) {
    if (name.startsWith('.') || ['nova-sonic-emulator', 'text2wav'].includes(name)) continue;
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
  tarball = join(folder, packed as string);
  installed = join(modules, 'nova-sonic-emulator');
  run('tar', ['-xzf', tarball], folder);
  run('mv', ['package', installed], folder);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it contains code, types, README, schema and scenarios, and no sources', () => {
  const files = [
    'LICENSE',
    'README.md',
    'dist',
    'package.json',
    'scenario.schema.json',
    'scenarios',
  ];
  expect(readdirSync(installed).sort()).toEqual(files);
  for (const file of ['index.js', 'index.d.ts', 'cli.js', 'speech/speech-worker.js']) {
    expect(readFileSync(join(installed, 'dist', file), 'utf8')).toMatch(/\w/);
  }
});

test('publint and Are The Types Wrong find nothing', () => {
  const program = join(ROOT, 'test/packages/publish-checks.mjs');
  expect(run(process.execPath, [program, tarball, '--esm-only'], ROOT)).toBe('');
}, 60_000);

test('its command prints the flags', () => {
  const help = run(process.execPath, [join(installed, 'dist/cli.js'), '--help'], folder);
  expect(help).toMatch(/^Usage: nova-sonic-emulator /);
  expect(help).toContain('--scenario <file>');
});

test('without text2wav it speaks without words; with it, in words', () => {
  writeFileSync(join(folder, 'conversation.mjs'), CONVERSATION);
  const [said, sound] = run(process.execPath, ['conversation.mjs'], folder).trim().split('\n');
  expect(said).toBe('Good day.');
  expect(Number(sound)).toBeGreaterThan(4000);

  const peer = join(folder, 'node_modules/text2wav');
  symlinkSync(join(ROOT, 'node_modules/text2wav'), peer);
  const [text, bytes] = run(process.execPath, ['conversation.mjs'], folder).trim().split('\n');
  expect(text).toBe('Good day.');
  // More than half a second of speech at 8 kHz.
  expect(Number(bytes)).toBeGreaterThan(8000);
  expect(bytes).not.toBe(sound);
}, 60_000);

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
