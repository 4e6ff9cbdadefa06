// SPDX-License-Identifier: Apache-2.0

import './command/silence-warnings.js';
import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { execa } from 'execa';
import { RoomServiceClient } from 'livekit-server-sdk';
import pc from 'picocolors';
import { readSettings } from '../lib/settings/read-settings.js';
import { isEntryPoint, logStatus, runCommand } from './command/run-command.js';
import { AwsError, CheckFailed, type CheckResult, type Outside } from './preflight/check.js';
import { runChecks } from './preflight/run-checks.js';

interface PreflightOptions {
  stackSettings?: string[];
  region?: string;
  profile?: string;
}

/** The options of `npm run preflight`; nothing runs before they are parsed. */
export function createProgram(): Command {
  return new Command('npm run preflight --')
    .description(
      'Checks with your AWS credentials what a deployment needs, before it. It reads only, and costs nothing. Exit code 1: something has to be done first.',
    )
    .option(
      '--stack-settings <name=value...>',
      'settings that are not in cdk.json, as for -c of cdk deploy',
    )
    .option(
      '--region <region>',
      'Region of the stack (default: the Region of your AWS configuration)',
    )
    .option('--profile <profile>', 'profile of your AWS configuration');
}

/** The real AWS, Docker and LiveKit. */
function outside({ region, profile }: PreflightOptions): Outside {
  const common = [
    ...(region ? ['--region', region] : []),
    ...(profile ? ['--profile', profile] : []),
  ];
  return {
    async aws(args) {
      const own = args.includes('--region') ? common.slice(region ? 2 : 0) : common;
      const result = await execa('aws', [...args, ...own, '--output', 'json'], { reject: false });
      if (!result.failed) return JSON.parse(result.stdout || '{}');
      if (result.code === 'ENOENT')
        throw new CheckFailed(
          'The AWS CLI is not on this machine: install it, and sign in to AWS.',
        );
      const text = result.stderr?.trim() || result.shortMessage || '';
      throw new AwsError(/\((\w+)\)/.exec(text)?.[1] ?? '', text);
    },
    async dockerPlatforms() {
      const { stdout } = await execa('docker', ['buildx', 'inspect']);
      return (/Platforms:\s*(.*)/.exec(stdout)?.[1] ?? '').split(/[,\s*]+/).filter(Boolean);
    },
    async livekit(url, apiKey, apiSecret) {
      await new RoomServiceClient(url.replace(/^ws/, 'http'), apiKey, apiSecret).listRooms();
    },
  };
}

const MARKS: Record<CheckResult['state'], string> = {
  ok: pc.green('ok    '),
  failed: pc.red('FAILED'),
  unknown: pc.yellow('?     '),
};

/** The context of cdk.json with what the command line adds. */
export function settingsFrom(additions: readonly string[]): ReturnType<typeof readSettings> {
  const { context } = JSON.parse(readFileSync(new URL('../cdk.json', import.meta.url), 'utf8'));
  const added = additions.map((addition) => {
    const at = addition.indexOf('=');
    if (at < 1) throw new Error(`"${addition}" is not a setting: write name=value.`);
    return [addition.slice(0, at), addition.slice(at + 1)];
  });
  return readSettings({ ...context, ...Object.fromEntries(added) }, logStatus);
}

if (isEntryPoint(import.meta.url)) {
  const options = createProgram().parse().opts<PreflightOptions>();
  await runCommand(async () => {
    const { stackSettings = [] } = options;
    const given = new Set(stackSettings.map((setting) => setting.split('=')[0] ?? ''));
    const settings = settingsFrom(stackSettings);
    const findings = await runChecks(settings, outside(options), given);
    for (const { check, state, sentence } of findings)
      process.stdout.write(`${MARKS[state]} ${check}: ${sentence}\n`);
    return findings.some(({ state }) => state === 'failed') ? 1 : 0;
  });
}
