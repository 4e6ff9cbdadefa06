// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createStack } from '../../bin/create-stack.js';
import { SettingsError } from '../../lib/settings/read-settings.js';
import { FAST_CONTEXT, newApp } from '../lib/synth.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const ACCOUNT = { CDK_DEFAULT_ACCOUNT: '111122223333', CDK_DEFAULT_REGION: 'eu-north-1' };

/** A synth starts Node, compiles TypeScript and runs cdk-nag; a busy machine needs long. */
const SLOW_MS = 180_000;

/** The names of the environment without an account, as in a shell that is not signed in. */
const { CDK_DEFAULT_ACCOUNT: _, CDK_DEFAULT_REGION: __, ...signedOut } = process.env;

describe('bin/app.ts', () => {
  let out: string;
  beforeAll(() => {
    out = mkdtempSync(join(tmpdir(), 'app-'));
  });
  afterAll(() => rmSync(out, { recursive: true }));

  /** Runs the app as `cdk synth` does, which hands over the context and where to write. */
  const run = (context: Record<string, unknown>, options: string[] = []) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        ['--import', 'tsx', ...options, join(ROOT, 'bin', 'app.ts')],
        {
          cwd: ROOT,
          env: {
            ...signedOut,
            CDK_OUTDIR: out,
            CDK_CONTEXT_JSON: JSON.stringify({ ...context, ...FAST_CONTEXT }),
            // .ci/cfn-lint runs the CDK's own validation, which takes seconds.
            CDK_VALIDATION: 'false',
          },
        },
        (error, stdout, stderr) =>
          resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
      );
    });

  test(
    'synthesizes the stack for any account, checked by cdk-nag, with a warning about an old name',
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
      const context = { name: 'support', secret: 'team/livekit' };
      const { code, stdout, stderr } = await run(context, ['--import', spy]);
      expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: '', stderr: 'cdk-nag: 0' });

      const read = (name: string) => JSON.parse(readFileSync(join(out, name), 'utf8'));
      expect(read('manifest.json').artifacts.support).toMatchObject({
        type: 'aws:cloudformation:stack',
        environment: 'aws://unknown-account/unknown-region',
      });
      // The CLI prints the warnings that it finds here.
      const entries: { type: string; data: string }[] = read('support.metadata.json')['/support'];
      expect(entries.filter(({ type }) => type === 'aws:cdk:warning')).toEqual([
        expect.objectContaining({
          data: '"secret" is deprecated and will be removed: use "liveKitSecret". [ack: nova-sonic-livekit:renamed-setting]',
        }),
      ]);
    },
    SLOW_MS,
  );

  test(
    'prints only the sentences about invalid settings',
    async () => {
      const { code, stdout, stderr } = await run({ maxTask: 4, spot: 'maybe' });
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
});

describe('a VPC without its subnets', () => {
  const synth = (context: Record<string, unknown>, account = {}) => {
    const app = newApp(context);
    const stack = createStack(app, account);
    return { app, stack };
  };

  test('needs the account of the credentials to look them up', () => {
    expect(() => synth({ vpcId: 'vpc-01234567' })).toThrow(
      new SettingsError(
        '"vpcId" without "subnetIds" looks the subnets up in the account, which needs AWS credentials and a Region: set "subnetIds", or sign in.',
      ),
    );
    const { app } = synth({ vpcId: 'vpc-01234567' }, ACCOUNT);
    expect(app.synth().manifest.missing).toEqual([
      expect.objectContaining({
        provider: 'vpc-provider',
        props: expect.objectContaining({
          account: '111122223333',
          region: 'eu-north-1',
          filter: { 'vpc-id': 'vpc-01234567' },
        }),
      }),
    ]);
  });

  test('is not looked up when they are named', () => {
    const named = { vpcId: 'vpc-01234567', subnetIds: 'subnet-01234567' };
    const { app, stack } = synth(named, ACCOUNT);
    expect(app.synth().manifest.missing ?? []).toEqual([]);
    expect(stack.environment).toBe('aws://unknown-account/unknown-region');
  });
});
