// SPDX-License-Identifier: Apache-2.0
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import type { Command } from 'commander';
import { execa, type ResultPromise } from 'execa';
import { startEmulator } from '../../../packages/nova-sonic-emulator/src/index.js';
import {
  createProgram,
  emulatorOptions,
} from '../../../packages/nova-sonic-emulator/src/program.js';
import { validateRecording } from '../../../packages/nova-sonic-emulator/src/validate.js';
import { sdkClient, TestClient } from './support/client.js';
import { RawClient, SESSION_START } from './support/raw-client.js';
import { toneSpeech } from './support/tone-speech.js';

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

describe('record', () => {
  it('hands a client on to the target, keeps what it is asked for, and stops on SIGTERM', async () => {
    const target = await startEmulator({ profile: 'fast', textToSpeech: toneSpeech });
    const { accessKeyId, secretAccessKey } = target.credentials;
    const file = join(folder, 'proxy.jsonl');
    const cert = join(folder, 'proxy.pem');
    const flags = ['--target', target.url, '--region', 'eu-north-1', '--cert', cert, '--text'];
    const cli = run(['record', file, ...flags], {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
    });
    try {
      const [url] = await ready(cli);
      expect(readFileSync(cert, 'utf8')).toContain('BEGIN CERTIFICATE');
      const credentials = { accessKeyId: 'any', secretAccessKey: 'body' };
      const client = new TestClient(sdkClient({ url, credentials }));
      client.start();
      client.openAudio();
      await client.output(({ name }) => name === 'usageEvent');
      expect(target.sessions().map(({ account }) => account)).toEqual([
        `${accessKeyId}/eu-north-1`,
      ]);
      client.close();
      expect(await client.ended).toBeUndefined();
      cli.kill('SIGTERM');
      expect((await cli).exitCode).toBe(0);
      expect(readFileSync(file, 'utf8')).toContain('Be brief.');
      expect(await validateRecording(file)).toMatchObject({ sessions: 1, findings: [] });
    } finally {
      cli.kill('SIGKILL');
      await target.close();
    }
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

describe('flags', () => {
  /** What a command line makes of the emulator's options. */
  const optionsOf = (args: string[]) => {
    const program = createProgram().action(() => {});
    program.parse(args, { from: 'user' });
    return emulatorOptions(program.opts(), {});
  };
  /** A value of each flag that is not its default; the others take a number. */
  const VALUES: Record<string, string> = {
    host: '0.0.0.0',
    profile: 'fast',
    noise: 'false-speech',
    'other-voices': 'ignored',
    fault: 'stall:durationMs=2000',
  };
  const flags = createProgram().options.map((option) => ({
    flag: option.long as string,
    value: option.required ? [VALUES[option.long?.slice(2) ?? ''] ?? '17'] : [],
  }));

  it.each(flags)('$flag reaches the emulator', ({ flag, value }) => {
    expect(optionsOf([flag, ...value])).not.toEqual(optionsOf([]));
  });

  const ofCommands = createProgram().commands.flatMap((command) =>
    command.options.map(({ long, required }) => ({
      command: command.name(),
      flag: long as string,
      value: required ? ['17'] : [],
    })),
  );

  it.each(ofCommands)('$flag reaches $command', ({ command, flag, value }) => {
    const flagsOf = (args: string[]) => {
      const program = createProgram();
      const called = program.commands.find((one) => one.name() === command) as Command;
      called.action(() => {});
      program.parse([command, 'file', ...args], { from: 'user' });
      return called.opts();
    };
    expect(flagsOf([flag, ...value])).not.toEqual(flagsOf([]));
  });

  it('of the network are those of the API', () => {
    const args = ['--latency', '60', '--jitter', '20', '--bandwidth', '256'];
    expect(
      optionsOf([...args, '--fault', 'stall:durationMs=2000,after=audioOutput']),
    ).toMatchObject({
      network: { latencyMs: 60, jitterMs: 20, bandwidthKbps: 256 },
      faults: [{ kind: 'stall', durationMs: 2000, after: 'audioOutput' }],
    });
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
