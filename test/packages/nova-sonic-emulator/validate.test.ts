// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  type EmulatorEvent,
  startEmulator,
} from '../../../packages/nova-sonic-emulator/src/index.js';
import type { RuleName } from '../../../packages/nova-sonic-emulator/src/protocol/rules.js';
import { validateRecording } from '../../../packages/nova-sonic-emulator/src/validate.js';
import type { Input } from './protocol/inputs.js';
import { RULES, type Rule } from './protocol/rule-table.js';
import { sdkClient, TestClient } from './support/client.js';
import { toneSpeech } from './support/tone-speech.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'recording-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A recording of what `act` does with a client. */
async function record(act: (client: TestClient) => Promise<void>, options = {}): Promise<string> {
  const file = join(folder, `${Math.random()}.jsonl`);
  const emulator = await startEmulator({
    profile: 'fast',
    textToSpeech: toneSpeech,
    record: file,
    scenario: { turns: [{ on: 'text', tools: [{ name: 'clock' }], reply: 'So.' }] },
    ...options,
  });
  const client = new TestClient(sdkClient(emulator));
  await act(client);
  await client.ended;
  await emulator.close();
  return file;
}

const lines = (file: string) =>
  readFileSync(file, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as EmulatorEvent);

/** A recording of these lines. */
function write(recorded: readonly object[]): string {
  const file = join(folder, 'written.jsonl');
  writeFileSync(file, recorded.map((line) => JSON.stringify(line)).join('\n'));
  return file;
}

async function dialogue(client: TestClient, answer = true): Promise<void> {
  client.start({ tools: ['clock'] });
  client.text('SYSTEM', 'You are brief.');
  client.openAudio();
  client.text('USER', 'What time is it?', true);
  const call = await client.output(({ name }) => name === 'toolUse');
  if (!answer) return;
  client.toolResult(call.body.toolUseId, '{"time":"nine"}');
  await client.output(({ body }) => body.stopReason === 'END_TURN' && body.type === 'AUDIO');
  client.close();
}

describe('a recording', () => {
  it('contains every event with its time, direction and body; audio as its length', async () => {
    const begun = Date.now();
    const recorded = lines(await record(dialogue));
    const sessions = new Set(recorded.map(({ session }) => session));
    expect(sessions.size).toBe(1);
    const audio = recorded.find(({ name }) => name === 'audioInput');
    expect(audio?.event.content).toBe('<1024 bytes>');
    expect(recorded.find(({ name }) => name === 'audioOutput')?.event.content).toMatch(
      /^<\d+ bytes>$/,
    );
    expect(recorded.find(({ name }) => name === 'toolResult')).toMatchObject({
      direction: 'in',
      event: { content: '{"time":"nine"}' },
    });
    const times = recorded.map(({ t }) => t);
    expect([...times].sort((a, b) => a - b)).toEqual(times);
    // Unix time, which is measured from the start of the process and may be a little off.
    expect((recorded[0] as EmulatorEvent).time).toBeGreaterThan(begun - 60_000);
    expect((recorded[0] as EmulatorEvent).time).toBeLessThan(Date.now() + 60_000);
  });

  it('keeps the audio with recordAudio', async () => {
    const recorded = lines(await record(dialogue, { recordAudio: true }));
    const audio = recorded.find(({ name }) => name === 'audioInput');
    expect(Buffer.from(audio?.event.content as string, 'base64')).toHaveLength(1024);
  });
});

describe('the validation of a recording', () => {
  it('finds no fault in a whole dialogue', async () => {
    const verdict = await validateRecording(await record(dialogue));
    expect(verdict).toMatchObject({ sessions: 1, findings: [] });
    expect(verdict.events).toBeGreaterThan(15);
  });

  it('finds what was not closed', async () => {
    const file = await record(async (client) => {
      await dialogue(client, false);
      client.endInput();
    });
    const { findings } = await validateRecording(file);
    expect(findings).toMatchObject([
      { severity: 'error', why: 'end of input before promptEnd', rule: 'prompt-closed' },
    ]);
  });

  it('warns of a recording that breaks off, and of a tool call without a result', async () => {
    const recorded = lines(await record((client) => dialogue(client)));
    const end = recorded.findIndex(({ name }) => name === 'toolUse');
    const { findings } = await validateRecording(write(recorded.slice(0, end + 1)));
    expect(findings.map(({ severity, why }) => [severity, why])).toEqual([
      ['warning', 'promptEnd was never sent: the session is left to time out'],
      ['warning', 'sessionEnd was never sent: the session is left to time out'],
      ['warning', expect.stringMatching(/^the tool call \S+ got no result/)],
    ]);
  });

  const events = (inputs: readonly Input[]) =>
    inputs.map(([name, event]) => ({ direction: 'in', name, event }));

  it.each<[RuleName, 'error' | 'warning', boolean]>([
    ['voice', 'error', false],
    ['history-first-user', 'error', false],
    ['tool-name', 'warning', false],
    ['tool-name', 'error', true],
  ])('finds what breaks the rule %s: %s (strict: %s)', async (name, severity, strict) => {
    const { breaks, passes } = RULES.find((rule) => rule.name === name) as Rule;
    const { findings } = await validateRecording(write(events(breaks)), { strict });
    expect(findings[0]).toMatchObject({
      line: breaks.length,
      severity,
      event: breaks.at(-1)?.[0],
      rule: name,
    });
    const fine = await validateRecording(write(events(passes)), { strict });
    expect(fine.findings.filter(({ rule }) => rule === name)).toEqual([]);
  });

  it('names the event that the emulator rejected', async () => {
    const file = await record(async (client) => {
      client.start();
      client.send('contentStart', { promptName: 'other', contentName: 'a', type: 'TEXT' });
    });
    const { findings } = await validateRecording(file);
    expect(findings.filter(({ severity }) => severity === 'error')).toMatchObject([
      { event: 'contentStart', text: 'Invalid input request', rule: 'prompt-name' },
    ]);
  });

  it.each([
    ['nonsense', /:1: not a JSON line\.$/],
    ['{"direction":"up","name":"x","event":{}}', /:1: a line has direction/],
  ])('rejects a file that is not a recording: %s', async (text, message) => {
    const file = join(folder, 'none.jsonl');
    writeFileSync(file, text);
    await expect(validateRecording(file)).rejects.toThrow(message);
  });
});
