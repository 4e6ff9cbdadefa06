// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ACCOUNT = { CDK_DEFAULT_ACCOUNT: '111122223333', CDK_DEFAULT_REGION: 'eu-north-1' };

/** A synth starts Node, compiles TypeScript and runs cdk-nag; a busy machine needs long. */
const SLOW_MS = 180_000;

let out: string;
beforeEach(() => {
  out = mkdtempSync(join(tmpdir(), 'app-'));
});
afterEach(() => rmSync(out, { recursive: true }));

/** Runs the app as `cdk synth` does, which hands over the context and where to write. */
function synth(
  context: Record<string, unknown>,
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const { CDK_DEFAULT_ACCOUNT: _, CDK_DEFAULT_REGION: __, ...inherited } = process.env;
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', 'tsx', join(ROOT, 'bin', 'app.ts')],
      {
        cwd: ROOT,
        env: { ...inherited, CDK_OUTDIR: out, CDK_CONTEXT_JSON: JSON.stringify(context), ...env },
      },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

const manifest = () => JSON.parse(readFileSync(join(out, 'manifest.json'), 'utf8'));

describe('the app', () => {
  test(
    'creates one stack with the configured name, for any account',
    async () => {
      const { code, stderr } = await synth({ name: 'support' });
      expect([code, stderr]).toEqual([0, '']);
      expect(manifest().artifacts.support).toMatchObject({
        type: 'aws:cloudformation:stack',
        environment: 'aws://unknown-account/unknown-region',
      });
    },
    SLOW_MS,
  );

  test(
    'is checked by cdk-nag',
    async () => {
      const spy = join(out, 'spy.mjs');
      writeFileSync(
        spy,
        `import { createRequire } from 'node:module';
       const { AwsSolutionsChecks } = createRequire(${JSON.stringify(join(ROOT, 'package.json'))})('cdk-nag');
       const { validate } = AwsSolutionsChecks.prototype;
       AwsSolutionsChecks.prototype.validate = function (context) {
         const report = validate.call(this, context);
         process.stderr.write('cdk-nag: ' + report.violations.length);
         return report;
       };`,
      );
      const { code, stderr } = await synth({}, { NODE_OPTIONS: `--import ${spy}` });
      expect([code, stderr]).toEqual([0, 'cdk-nag: 0']);
    },
    SLOW_MS,
  );

  test(
    'prints only the sentences about invalid settings',
    async () => {
      const { code, stdout, stderr } = await synth({ maxTask: 4, spot: 'maybe' });
      expect({ code, stdout, lines: stderr.trimEnd().split('\n').sort() }).toEqual({
        code: 1,
        stdout: '',
        lines: [
          'The setting "maxTask" is unknown: did you mean "maxTasks"?',
          'The setting "spot" cannot be "maybe": it must be true or false.',
        ],
      });
    },
    SLOW_MS,
  );

  test(
    'warns once about a deprecated setting, naming the new one',
    async () => {
      expect((await synth({ secret: 'team/livekit' })).code).toBe(0);
      // The CLI prints the warnings that it finds here.
      const metadata = JSON.parse(readFileSync(join(out, 'voice-agent.metadata.json'), 'utf8'));
      const entries: { type: string; data: string }[] = metadata['/voice-agent'];
      expect(entries.filter(({ type }) => type === 'aws:cdk:warning')).toEqual([
        expect.objectContaining({
          data: '"secret" is deprecated and will be removed: use "liveKitSecret". [ack: nova-sonic-livekit:renamed-setting]',
        }),
      ]);
    },
    SLOW_MS,
  );

  test(
    'without credentials, reports what a lookup of subnets needs',
    async () => {
      const { code, stderr } = await synth({ vpcId: 'vpc-01234567' });
      expect([code, stderr]).toEqual([
        1,
        '"vpcId" without "subnetIds" looks the subnets up in the account, which needs AWS credentials and a Region: set "subnetIds", or sign in.\n',
      ]);
    },
    SLOW_MS,
  );

  test(
    'looks up the subnets of a VPC in the account of the credentials',
    async () => {
      expect((await synth({ vpcId: 'vpc-01234567' }, ACCOUNT)).code).toBe(0);
      expect(manifest().missing).toEqual([
        expect.objectContaining({
          provider: 'vpc-provider',
          props: expect.objectContaining({
            account: '111122223333',
            region: 'eu-north-1',
            filter: { 'vpc-id': 'vpc-01234567' },
          }),
        }),
      ]);
    },
    SLOW_MS,
  );

  test(
    'looks up nothing when the subnets are named',
    async () => {
      const named = { vpcId: 'vpc-01234567', subnetIds: 'subnet-01234567' };
      expect((await synth(named, ACCOUNT)).code).toBe(0);
      expect(manifest().missing ?? []).toEqual([]);
      expect(manifest().artifacts['voice-agent'].environment).toBe(
        'aws://unknown-account/unknown-region',
      );
    },
    SLOW_MS,
  );
});
