// SPDX-License-Identifier: Apache-2.0

import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from '@jest/globals';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const EXPECTED: Record<string, RegExp[]> = {
  smallest: [
    /"AWS::EC2::VPC"/,
    /secret:nova-sonic-agent\/livekit:LIVEKIT_URL::/,
    /"MaxCapacity":2/,
  ],
  'existing-vpc-and-secret': [
    /"VpcId":"vpc-0123456789abcdef0"/,
    /secret:team\/livekit-AbCdEf:LIVEKIT_API_KEY::/,
    /"dynamodb:GetItem"/,
    /"Endpoint":"ops@example.com"/,
  ],
  'two-regions': [
    /bedrock:us-east-1::foundation-model/,
    /bedrock:us-west-2::foundation-model/,
    /"Value":"us-east-1,us-west-2"/,
    /"MaxCapacity":4/,
    /"Timezone":"America\/New_York"/,
  ],
};

/** The template that an example makes when it is run as its README says. */
async function synth(example: string): Promise<string> {
  const out = mkdtempSync(join(tmpdir(), 'example-'));
  try {
    await promisify(execFile)(
      process.execPath,
      ['--import', 'tsx', join(ROOT, 'examples', example, 'app.ts')],
      { cwd: ROOT, env: { ...process.env, CDK_OUTDIR: out } },
    );
    const file = readdirSync(out).find((name) => name.endsWith('.template.json')) ?? '';
    return JSON.stringify(JSON.parse(readFileSync(join(out, file), 'utf8')));
  } finally {
    rmSync(out, { recursive: true });
  }
}

test.each(Object.entries(EXPECTED))(
  '%s',
  async (example, patterns) => {
    const template = await synth(example);
    for (const pattern of patterns) expect(template).toMatch(pattern);
  },
  60_000,
);

test('every example is here and in the README', () => {
  const folders = readdirSync(join(ROOT, 'examples')).filter((name) => !name.includes('.'));
  expect(folders.sort()).toEqual(Object.keys(EXPECTED).sort());
  const readme = readFileSync(join(ROOT, 'examples', 'README.md'), 'utf8');
  for (const folder of folders) expect(readme).toContain(`[${folder}](${folder}/app.ts)`);
});
