// SPDX-License-Identifier: Apache-2.0

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { FAST_CONTEXT } from '../lib/synth.js';

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
  pipeline: [
    /"AWS::CodePipeline::Pipeline"/,
    /"Name":"Staging".*"Name":"CallStaging".*"Name":"Production"/,
    /222233334444.*333344445555/,
    // What builds the image, for ARM, and with a Node.js that runs this project.
    /"Image":"aws\/codebuild\/amazonlinux-aarch64-standard:3.0",[^}]*"PrivilegedMode":true,"Type":"ARM_CONTAINER"/,
    /\\"nodejs\\": \\"22\\"/,
  ],
  'three-accounts': [
    /arn:aws:iam::222233334444:role\/voice-agent-lane","arn:aws:iam::333344445555:role\/voice-agent-lane/,
    /"Name":"BEDROCK_LANES","Value":"\[{\\"name\\":\\"us-east-1\\",\\"region\\":\\"us-east-1\\"},{\\"name\\":\\"222233334444\/us-east-1\\"/,
    /"MaxCapacity":12/,
    /"aws:PrincipalArn":"arn:aws:iam::111122223333:role\/voice-agent-task"/,
  ],
  'two-regions': [
    /bedrock:us-east-1::foundation-model/,
    /bedrock:us-west-2::foundation-model/,
    /"Value":"us-east-1,us-west-2"/,
    /"MaxCapacity":4/,
    /"Timezone":"America\/New_York"/,
  ],
};

const out = mkdtempSync(join(tmpdir(), 'examples-'));
// The CDK prints warnings there.
beforeAll(() => {
  jest.spyOn(console, 'error').mockImplementation(() => {});
});
afterAll(() => {
  jest.restoreAllMocks();
  rmSync(out, { recursive: true });
});

/** The templates that an example makes. .ci/cfn-lint runs each as its README says, with the CDK's own validation. */
async function synth(example: string): Promise<string> {
  const folder = join(out, example);
  Object.assign(process.env, {
    CDK_OUTDIR: folder,
    CDK_CONTEXT_JSON: JSON.stringify(FAST_CONTEXT),
    CDK_VALIDATION: 'false',
  });
  await import(`../../examples/${example}/app.js`);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.template.json'))
    .map((name) => JSON.stringify(JSON.parse(readFileSync(join(folder, name), 'utf8'))))
    .join('\n');
}

test.each(Object.entries(EXPECTED))('%s', async (example, patterns) => {
  const template = await synth(example);
  for (const pattern of patterns) expect(template).toMatch(pattern);
});

test('every example is here and in the README', () => {
  const folders = readdirSync(join(ROOT, 'examples')).filter((name) => !name.includes('.'));
  expect(folders.sort()).toEqual(Object.keys(EXPECTED).sort());
  const readme = readFileSync(join(ROOT, 'examples', 'README.md'), 'utf8');
  for (const folder of folders) expect(readme).toContain(`[${folder}](${folder}/app.ts)`);
});
