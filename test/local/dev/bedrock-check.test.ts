// SPDX-License-Identifier: Apache-2.0

import type { Fault } from 'nova-sonic-emulator';
import { type Emulator, startEmulator } from 'nova-sonic-emulator';
import { checkBedrock } from '../../../local/dev/bedrock-check.js';

const before = { ...process.env };
let emulator: Emulator;

beforeAll(async () => {
  emulator = await startEmulator({ profile: 'fast' });
});
afterAll(() => emulator.close());

beforeEach(() => {
  process.env = {
    ...Object.fromEntries(Object.entries(before).filter(([name]) => !name.startsWith('AWS_'))),
    AWS_REGION: 'us-west-2',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_ENDPOINT_URL_BEDROCK_RUNTIME: emulator.url,
    AWS_ACCESS_KEY_ID: 'emulator',
    AWS_SECRET_ACCESS_KEY: 'emulator-secret',
  };
});
afterEach(() => {
  emulator.clearFaults();
  process.env = before;
});

describe('checkBedrock', () => {
  it('passes when a session opens, and leaves none open', async () => {
    const gone = emulator.next('gone');
    await checkBedrock();
    await gone;
    expect(emulator.sessions()).toEqual([]);
  });

  it('reports missing credentials and how to get some', async () => {
    delete process.env.AWS_ACCESS_KEY_ID;
    delete process.env.AWS_SECRET_ACCESS_KEY;
    await expect(checkBedrock()).rejects.toThrow(/^There are no AWS credentials .*`aws sso login`/);
  });

  it('reports rejected credentials', async () => {
    process.env.AWS_SECRET_ACCESS_KEY = 'another';
    await expect(checkBedrock()).rejects.toThrow(/^Bedrock rejected your credentials .*renew them/);
  });

  it.each<[Fault, RegExp]>([
    [
      { kind: 'access-denied' },
      /^Access to amazon\.nova-2-sonic-v1:0 in us-west-2 is denied: .*bedrock:InvokeModel/,
    ],
    [{ kind: 'throttle' }, /^Bedrock in us-west-2 has no free stream at the moment .*AWS_REGION/],
    [
      { kind: 'http', status: 404, type: 'ResourceNotFoundException', message: 'no such model' },
      /^Bedrock in us-west-2 does not accept amazon\.nova-2-sonic-v1:0 \(no such model\)/,
    ],
  ])('turns %j into one sentence', async (fault, sentence) => {
    emulator.setFault(fault);
    await expect(checkBedrock()).rejects.toThrow(sentence);
  });

  it('says that nothing can be reached', async () => {
    process.env.AWS_ENDPOINT_URL_BEDROCK_RUNTIME = 'http://127.0.0.1:9';
    await expect(checkBedrock()).rejects.toThrow(/^Bedrock in us-west-2 could not be reached/);
  });
});
