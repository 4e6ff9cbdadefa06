// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { execa, type ResultPromise } from 'execa';
import { createProgram } from '../../../packages/nova-sonic-emulator/src/program.js';
import { sdkClient, TestClient } from './support/client.js';
import { RawClient, SESSION_START } from './support/raw-client.js';

const CLI = fileURLToPath(
  new URL('../../../packages/nova-sonic-emulator/src/cli.ts', import.meta.url),
);
const TOKYO = fileURLToPath(
  new URL('../../../packages/nova-sonic-emulator/scenarios/tokyo.yaml', import.meta.url),
);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (args: string[], env: Record<string, string> = {}) =>
  execa(process.execPath, ['--import', 'tsx', CLI, ...args], {
    env: { AWS_ACCESS_KEY_ID: undefined, AWS_SECRET_ACCESS_KEY: undefined, NO_COLOR: '1', ...env },
    reject: false,
  });

/** Runs `validate` in this process: its output without colours, and its exit code. */
async function validate(file: string): Promise<{ output: string; exitCode: number }> {
  const log = jest.spyOn(console, 'log').mockImplementation(() => {});
  try {
    await createProgram().parseAsync(['validate', file], { from: 'user' });
    return {
      output: stripVTControlCharacters(log.mock.calls.flat().join('\n')),
      exitCode: Number(process.exitCode ?? 0),
    };
  } finally {
    log.mockRestore();
    process.exitCode = undefined;
  }
}

/** The ready line's two addresses. */
async function ready(cli: ResultPromise): Promise<[string, string]> {
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: cli.stdout as Readable }).once('line', resolve);
    cli.then(({ stderr }) => reject(new Error(`no ready line: ${stderr}`)));
  });
  const match = /^ready (http:\/\/127\.0\.0\.1:\d+) (https:\/\/127\.0\.0\.1:\d+)$/.exec(line);
  expect(match).not.toBeNull();
  return [match?.[1] as string, match?.[2] as string];
}

describe('the command', () => {
  it('prints one line, serves on both ports with the credentials of the environment, and stops on SIGTERM', async () => {
    const cert = join(folder, 'cert.pem');
    const record = join(folder, 'record.jsonl');
    const credentials = { accessKeyId: 'mine', secretAccessKey: 'my-secret' };
    const flags = ['--cert', cert, '--scenario', TOKYO, '--record', record, '--profile', 'fast'];
    const cli = run(flags, { AWS_ACCESS_KEY_ID: 'mine', AWS_SECRET_ACCESS_KEY: 'my-secret' });
    const [url, tlsUrl] = await ready(cli);

    const client = new TestClient(sdkClient({ url, credentials }));
    client.start({ tools: ['get_current_time'] });
    await client.output(({ name }) => name === 'usageEvent');
    client.openAudio();
    client.close();
    expect(await client.ended).toBeUndefined();

    const ca = readFileSync(cert, 'utf8');
    const secure = new RawClient({ url: tlsUrl, credentials, ca });
    secure.send('sessionStart', SESSION_START);
    expect((await secure.headers)[':status']).toBe(200);
    secure.end();
    await secure.response;

    cli.kill('SIGTERM');
    const { exitCode, stdout } = await cli;
    expect(exitCode).toBe(0);
    expect(stdout.trim().split('\n')).toHaveLength(1);

    const { output, exitCode: verdict } = await validate(record);
    expect(output).toMatch(/2 sessions: 0 errors/);
    expect(verdict).toBe(0);
  });

  it('ends with one line and exit code 1 when it cannot start', async () => {
    const { stderr, exitCode } = await run(['--scenario', '/nowhere.yaml']);
    expect(stderr.trim()).toMatch(/^The scenario \/nowhere\.yaml cannot be read: [^\n]+$/);
    expect(exitCode).toBe(1);
  });
});

describe('validate', () => {
  it('explains each error, with exit code 1', async () => {
    const file = join(folder, 'wrong.jsonl');
    const line = { direction: 'in', name: 'promptEnd', event: { promptName: 'p' } };
    writeFileSync(file, JSON.stringify(line));
    const { output, exitCode } = await validate(file);
    expect(output).toContain(
      `${file}:1: error: promptEnd: promptEnd before sessionStart. Bedrock says: Invalid input request`,
    );
    expect(exitCode).toBe(1);
  });
});

describe('the program', () => {
  it('documents every option in its help', () => {
    const help = createProgram().helpInformation();
    for (const flag of [
      ...['--port', '--tls-port', '--cert', '--scenario', '--record', '--profile', '--time-scale'],
      ...['--seed', '--control-port', '--max-streams', '--max-connection', '--audio-idle'],
      ...['--speech-idle', '--history-text', '--history-total', '--fault', 'throttle'],
    ]) {
      expect(help).toContain(flag);
    }
  });

  it.each([
    [['--port', 'x'], /option '--port <port>' argument 'x' is invalid\. a whole number/],
    [['--port', '70000'], /a port is at most 65535/],
    [['--time-scale', '0'], /a number above 0/],
    [['--profile', 'slow'], /Allowed choices are capture, fast/],
    [['--fault', 'explode'], /fault "explode" is unknown/],
    [['validate', '/nowhere.jsonl'], /ENOENT/],
  ])('%j fails with one clear sentence', async (args, message) => {
    let output = '';
    const program = createProgram()
      .exitOverride()
      .configureOutput({ writeErr: (text) => (output += text) });
    const failure = await program.parseAsync(args, { from: 'user' }).then(
      () => undefined,
      (error: Error & { exitCode?: number }) => error,
    );
    expect(failure?.exitCode ?? 1).toBe(1);
    const sentence = (output || failure?.message || '').trim();
    expect(sentence).toMatch(message);
    expect(sentence.split('\n')).toHaveLength(1);
  });
});
