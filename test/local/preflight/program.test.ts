// SPDX-License-Identifier: Apache-2.0
// The command with programs in the place of `aws` and `docker`.

import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { execa } from 'execa';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PATIENCE_MS = 120_000;

/** What `aws` prints, by its first two arguments; another command fails as AWS's own does. */
const AWS = {
  'sts get-caller-identity': { Account: '111122223333', Arn: 'arn:aws:iam::111122223333:user/op' },
  'ssm get-parameter': { Parameter: { Value: '28' } },
  // Nobody listens there.
  'secretsmanager get-secret-value': {
    SecretString: JSON.stringify({
      LIVEKIT_URL: 'ws://127.0.0.1:1',
      LIVEKIT_API_KEY: 'key',
      LIVEKIT_API_SECRET: 'secret',
    }),
  },
  'bedrock get-foundation-model-availability': {
    authorizationStatus: 'AUTHORIZED',
    entitlementAvailability: 'AVAILABLE',
    regionAvailability: 'AVAILABLE',
  },
  'service-quotas get-service-quota': { Quota: { Value: 8 } },
};
/** A part of what `docker buildx inspect` prints. */
const DOCKER = `Name:   default
Driver: docker

Nodes:
Name:      default
Status:    running
Platforms: linux/amd64, linux/amd64/v2, linux/arm64, linux/386
`;

/** A folder with `aws`, which also appends its arguments to `asked`, and with `docker`. */
function programs(): string {
  const folder = mkdtempSync(join(tmpdir(), 'preflight-'));
  const write = (name: string, code: string) => {
    writeFileSync(join(folder, name), `#!/usr/bin/env node\n${code}\n`);
    chmodSync(join(folder, name), 0o755);
  };
  write(
    'aws',
    `const args = process.argv.slice(2);
require('node:fs').appendFileSync(${JSON.stringify(join(folder, 'asked'))}, args.join(' ') + '\\n');
const answer = ${JSON.stringify(AWS)}[args.slice(0, 2).join(' ')];
if (answer) console.log(JSON.stringify(answer));
else {
  console.error('\\nAn error occurred (AccessDeniedException) when calling the operation: no');
  process.exitCode = 254;
}`,
  );
  write('docker', `process.stdout.write(${JSON.stringify(DOCKER)});`);
  return folder;
}

test(
  'npm run preflight prints a line for each check, and fails when something has to be done',
  async () => {
    const folder = programs();
    const { exitCode, stdout } = await execa(
      process.execPath,
      [
        ...['--import', 'tsx', 'local/preflight.ts', '--region', 'eu-west-1', '--profile', 'ops'],
        ...['--stack-settings', 'callsPerTask=7', 'alarmEmail=ops@example.com'],
      ],
      {
        cwd: ROOT,
        env: { PATH: [folder, dirname(process.execPath)].join(':'), NO_COLOR: '1' },
        reject: false,
      },
    );
    expect(stdout.split('\n').map((line) => line.replace(/\(.*\)/, '(…)'))).toEqual([
      'ok     credentials: Account 111122223333, as arn:aws:iam::111122223333:user/op.',
      'ok     bootstrap: Version 28.',
      'ok     secret: nova-sonic-agent/livekit has its three keys.',
      expect.stringMatching(/^FAILED LiveKit: LiveKit at ws:.* does not answer to these keys/),
      'ok     model: amazon.nova-2-sonic-v1:0 may be called in us-east-1.',
      expect.stringMatching(
        /^\? {6}stream quota: Your credentials may not run `aws service-quotas/,
      ),
      'ok     Fargate quota: 8 vCPUs, of which MaxTasks needs 8 during a deployment.',
      'ok     Docker: It builds for linux/arm64.',
      expect.stringMatching(/^\? {6}alarm address: /),
    ]);
    expect(exitCode).toBe(1);
  },
  PATIENCE_MS,
);

test(
  'npm run preflight says that there is no AWS CLI',
  async () => {
    const { exitCode, stdout } = await execa(
      process.execPath,
      ['--import', 'tsx', 'local/preflight.ts'],
      { cwd: ROOT, env: { PATH: dirname(programs()), NO_COLOR: '1' }, reject: false },
    );
    const [first] = stdout.split('\n');
    expect(first).toBe(
      'FAILED credentials: The AWS CLI is not on this machine: install it, and sign in to AWS.',
    );
    expect(exitCode).toBe(1);
  },
  PATIENCE_MS,
);
