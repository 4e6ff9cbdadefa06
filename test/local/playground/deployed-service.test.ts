// SPDX-License-Identifier: Apache-2.0

// Runs `npm run playground` as a user would, against a stand-in for the two AWS APIs that it calls.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { readDeployedService } from '../../../local/playground/deployed-service.js';
import { Command } from '../../e2e/support.js';

const SECRET = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:livekit-AbCdEf';
const KEYS = {
  LIVEKIT_URL: 'wss://example.livekit.cloud',
  LIVEKIT_API_KEY: 'key',
  LIVEKIT_API_SECRET: 'a-secret-that-nobody-may-read',
};

let aws: Server;
/** What the stand-in answers with. */
let outputs: Record<string, string>;
let secret: string | undefined;
let denied: boolean;

beforeAll(async () => {
  aws = createServer((request, response) => {
    let body = '';
    request.on('data', (part) => {
      body += part;
    });
    request.on('end', () => {
      const target = request.headers['x-amz-target'];
      const [status, type, text] = target ? secrets() : stacks(new URLSearchParams(body));
      response.writeHead(status, { 'content-type': type });
      response.end(text);
    });
  });
  aws.listen(0, '127.0.0.1');
  await once(aws, 'listening');
});
afterAll(() => void aws.close());
beforeEach(() => {
  outputs = { LiveKitSecret: SECRET, AgentName: 'ada' };
  secret = JSON.stringify(KEYS);
  denied = false;
});

type Answer = [status: number, type: string, text: string];

function stacks(query: URLSearchParams): Answer {
  const stack = query.get('StackName');
  if (denied) return xmlError(403, 'AccessDenied', 'User is not authorized');
  if (stack !== 'voice-agent')
    return xmlError(400, 'ValidationError', `Stack with id ${stack} does not exist`);
  const members = Object.entries(outputs).map(
    ([key, value]) =>
      `<member><OutputKey>${key}</OutputKey><OutputValue>${value}</OutputValue></member>`,
  );
  return [
    200,
    'text/xml',
    `<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/"><DescribeStacksResult><Stacks><member><StackName>voice-agent</StackName><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2026-11-23T00:00:00Z</CreationTime><Outputs>${members.join('')}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>`,
  ];
}

function xmlError(status: number, code: string, message: string): Answer {
  return [
    status,
    'text/xml',
    `<ErrorResponse><Error><Type>Sender</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>1</RequestId></ErrorResponse>`,
  ];
}

function secrets(): Answer {
  const type = 'application/x-amz-json-1.1';
  if (secret === undefined)
    return [400, type, JSON.stringify({ __type: 'ResourceNotFoundException', message: 'gone' })];
  return [200, type, JSON.stringify({ ARN: SECRET, Name: 'livekit', SecretString: secret })];
}

/** A machine with credentials, and nothing of the person whose machine it is. */
function environment(): Record<string, string> {
  const address = aws.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    AWS_ENDPOINT_URL_CLOUDFORMATION: `http://127.0.0.1:${port}`,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: `http://127.0.0.1:${port}`,
    AWS_ACCESS_KEY_ID: 'AKIDEXAMPLE',
    AWS_SECRET_ACCESS_KEY: 'example',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/nonexistent',
    AWS_SHARED_CREDENTIALS_FILE: '/nonexistent',
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  };
}

/** What `readDeployedService` says when it refuses. */
async function refusal(stack = 'voice-agent'): Promise<string> {
  const before = process.env;
  process.env = { ...before, ...environment() };
  try {
    await readDeployedService({ stack, region: 'us-east-1' });
  } catch (error) {
    return (error as Error).message;
  } finally {
    process.env = before;
  }
  throw new Error('It was not refused.');
}

const STACK = ['--stack', 'voice-agent', '--region', 'us-east-1'];
const playground = (args: string[], env = {}) =>
  new Command('playground', args, { ...environment(), ...env });

describe('npm run playground', () => {
  it('serves the page for a stack, and shows no secret', async () => {
    const command = playground([...STACK, '--port', '0']);
    const link = /http:\/\/127\.0\.0\.1:\d+/.exec(await command.line(/to talk to it/))?.[0] ?? '';
    const target = await (await fetch(`${link}/api/target`)).json();
    expect(target).toEqual({
      kind: 'stack',
      name: 'voice-agent, us-east-1',
      livekit: KEYS.LIVEKIT_URL,
      agentName: 'ada',
    });
    expect(await (await fetch(link)).text()).toContain('<title>Talk to the agent</title>');
    command.interrupt();
    // npm may hear the signal before the command's own 130 and end by it.
    expect([130, -1]).toContain(await command.exited);
    expect(command.stdout + command.stderr).not.toContain(KEYS.LIVEKIT_API_SECRET);
    expect(await command.leftovers()).toEqual([]);
  });

  it('prints help', async () => {
    const command = playground(['--help']);
    expect(await command.exited).toBe(0);
    expect(command.stdout).toMatch(/--stack <name>[\s\S]*--region[\s\S]*--profile[\s\S]*--port/);
  });

  it('reports missing credentials in one sentence', async () => {
    const none = { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' };
    const command = playground(STACK, none);
    expect(await command.exited).toBe(2);
    expect(command.stderr.trim()).toBe(
      'There are no AWS credentials on this machine: run `aws configure` or `aws sso login`, or choose a profile with --profile.',
    );
  });

  it('reports an unknown stack in one sentence', async () => {
    expect(await refusal('voice-agnet')).toBe(
      'There is no stack named voice-agnet in us-east-1: `aws cloudformation list-stacks --region us-east-1` lists the stacks there, and --region selects another Region.',
    );
  });

  it('names the missing permission in one sentence', async () => {
    denied = true;
    expect(await refusal()).toBe(
      'Your AWS credentials are not allowed to read the stack voice-agent: they need cloudformation:DescribeStacks.',
    );
  });

  it('reports a stack of another project in one sentence', async () => {
    outputs = {};
    expect(await refusal()).toMatch(
      /^The stack voice-agent in us-east-1 has no output LiveKitSecret: [^\n]*$/,
    );
  });

  it.each([
    ['LIVEKIT_API_KEY', { ...KEYS, LIVEKIT_API_KEY: '' }],
    ['LIVEKIT_API_SECRET', { ...KEYS, LIVEKIT_API_SECRET: undefined }],
    ['LIVEKIT_URL', { ...KEYS, LIVEKIT_URL: 7 }],
  ])('reports in one sentence that the secret has no %s', async (key, value) => {
    secret = JSON.stringify(value);
    expect(await refusal()).toBe(
      `The secret ${SECRET} has no ${key}: add it as described in docs/operations/deploy.md.`,
    );
  });

  it.each([
    [
      'that is not JSON',
      'quiet',
      /^The secret \S+ is not JSON: it needs the keys LIVEKIT_URL, [^\n]*$/,
    ],
    ['that is gone', undefined, /^The secret \S+ does not exist any more: [^\n]*$/],
    [
      'without an address',
      JSON.stringify({ ...KEYS, LIVEKIT_URL: 'livekit' }),
      /^LIVEKIT_URL in the secret \S+ is not a URL such as wss:[^\n]*$/,
    ],
  ])('reports in one sentence what is wrong with a secret %s', async (_, text, sentence) => {
    secret = text;
    expect(await refusal()).toMatch(sentence);
  });
});
