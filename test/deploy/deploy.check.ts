// SPDX-License-Identifier: Apache-2.0
// The life of a stack against an emulator of CloudFormation, one step after the other: `npm run test:deploy`.
//
// What it cannot show: whether AWS accepts a value (cfn-lint has its schemas), scaling, flow log and saved queries (stand-ins), metric
// math, whether tasks start (no image is built or run), permissions (the emulator checks none), the time that anything takes.

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  CloudFormationClient,
  DescribeStackResourcesCommand,
  DescribeStacksCommand,
} from '@aws-sdk/client-cloudformation';
import { DescribeServicesCommand, ECSClient, ListClustersCommand } from '@aws-sdk/client-ecs';
import { execa, type ResultPromise } from 'execa';
import { freePort } from '../support/free-port.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const out = mkdtempSync(join(tmpdir(), 'deploy-'));
const credentials = { accessKeyId: 'test', secretAccessKey: 'test' };
/** Nothing is pulled. */
const IMAGE = `image=registry.test/voice@sha256:${'a1'.repeat(32)}`;
const SECRET =
  'arn:aws:secretsmanager:us-east-1:000000000000:secret:nova-sonic-agent/livekit-AbCdEf';

let emulator: ResultPromise;
let endpoint: string;
let cloudFormation: CloudFormationClient;
let ecs: ECSClient;

before(async () => {
  const port = await freePort();
  endpoint = `http://127.0.0.1:${port}`;
  emulator = execa(join(ROOT, '.cache/ministack/bin/python'), ['test/deploy/emulator.py'], {
    cwd: ROOT,
    env: { BIND_HOST: '127.0.0.1', GATEWAY_PORT: String(port) },
    reject: false,
    cleanup: true,
  });
  const client = { endpoint, region: 'us-east-1', credentials };
  cloudFormation = new CloudFormationClient(client);
  ecs = new ECSClient({ ...client, maxAttempts: 1 });
  const deadline = Date.now() + 60_000;
  while (!(await ecs.send(new ListClustersCommand()).catch(() => undefined))) {
    assert.ok(Date.now() < deadline, 'the emulator does not start');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
});

after(async () => {
  emulator.kill('SIGKILL');
  await emulator;
  rmSync(out, { recursive: true });
});

/** Runs a command of the CDK. @returns its exit code and what it printed */
async function cdk(...args: string[]): Promise<{ exitCode: number; text: string }> {
  const { exitCode = 1, all } = await execa(join(ROOT, 'node_modules/.bin/cdk'), args, {
    cwd: ROOT,
    all: true,
    reject: false,
    extendEnv: true,
    env: {
      ...{ AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1', AWS_EC2_METADATA_DISABLED: 'true' },
      ...{ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', CI: 'true' },
    },
  });
  return { exitCode, text: all };
}

/** Synthesizes with these settings. @returns the folder, which `deploy` takes as often as it likes */
async function synth(folder: string, ...settings: string[]): Promise<string> {
  const output = join(out, folder);
  const context = [IMAGE, ...settings].flatMap((setting) => ['-c', setting]);
  const { exitCode, text } = await cdk('synth', '--quiet', '--output', output, ...context);
  assert.equal(exitCode, 0, text);
  return output;
}

const deploy = (app: string, parameters: Record<string, string | number> = {}) =>
  cdk(
    ...['deploy', '--app', app, '--require-approval', 'never', '--progress', 'events'],
    ...Object.entries(parameters).flatMap(([name, value]) => ['--parameters', `${name}=${value}`]),
  );

async function succeeds(run: Promise<{ exitCode: number; text: string }>): Promise<void> {
  const { exitCode, text } = await run;
  assert.equal(exitCode, 0, text);
}

async function stackOf(name = 'voice-agent') {
  const { Stacks = [] } = await cloudFormation.send(new DescribeStacksCommand({ StackName: name }));
  const [stack] = Stacks;
  const parameters = Object.fromEntries(
    (stack?.Parameters ?? []).map((one) => [one.ParameterKey, one.ParameterValue]),
  );
  const outputs = Object.fromEntries(
    (stack?.Outputs ?? []).map((one) => [one.OutputKey, one.OutputValue]),
  );
  return { status: stack?.StackStatus, parameters, outputs };
}

/** The task definition with which the service starts tasks. */
async function taskDefinition(): Promise<string | undefined> {
  const { outputs } = await stackOf();
  const { services = [] } = await ecs.send(
    new DescribeServicesCommand({
      cluster: outputs.ClusterName,
      services: [outputs.ServiceName ?? ''],
    }),
  );
  return services[0]?.taskDefinition;
}

async function logGroups(): Promise<string[]> {
  const answer = await fetch(endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'Logs_20140328.DescribeLogGroups',
      authorization:
        'AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0',
    },
    body: '{}',
  });
  const { logGroups = [] } = (await answer.json()) as { logGroups?: { logGroupName: string }[] };
  return logGroups.map(({ logGroupName }) => logGroupName).sort();
}

let app = '';

test('bootstrap', async () => {
  await succeeds(cdk('bootstrap', 'aws://000000000000/us-east-1'));
});

test('a first deployment that fails is taken back', async () => {
  app = await synth('default');
  const { exitCode, text } = await deploy(app, { MinTasks: 5 });
  assert.equal(exitCode, 1);
  assert.match(text, /Maximum capacity cannot be less than minimum capacity/);
  assert.equal((await stackOf()).status, 'ROLLBACK_COMPLETE');
  const { clusterArns } = await ecs.send(new ListClustersCommand());
  assert.deepEqual(clusterArns, []);
});

test('the next one under the same name succeeds', async () => {
  await succeeds(deploy(app, { LiveKitSecretArn: SECRET }));
  const { status, outputs, parameters } = await stackOf();
  assert.equal(status, 'CREATE_COMPLETE');
  assert.equal(parameters.MinTasks, '1');
  assert.equal(outputs.LiveKitSecret, SECRET);
  const { StackResources = [] } = await cloudFormation.send(
    new DescribeStackResourcesCommand({ StackName: 'voice-agent' }),
  );
  assert.ok(StackResources.length > 50, `${StackResources.length} resources`);
  assert.ok(StackResources.every(({ ResourceStatus }) => ResourceStatus === 'CREATE_COMPLETE'));
});

test('a parameter changes neither the others nor the tasks', async () => {
  const before = await taskDefinition();
  await succeeds(deploy(app, { MaxTasks: 40 }));
  const { status, parameters } = await stackOf();
  assert.equal(status, 'UPDATE_COMPLETE');
  assert.deepEqual([parameters.MaxTasks, parameters.LiveKitSecretArn], ['40', SECRET]);
  assert.equal(await taskDefinition(), before);
});

test('a setting changes the tasks, and no parameter', async () => {
  const before = await taskDefinition();
  await succeeds(deploy(await synth('debug', 'logLevel=debug')));
  assert.notEqual(await taskDefinition(), before);
  const { parameters } = await stackOf();
  assert.deepEqual([parameters.MaxTasks, parameters.LiveKitSecretArn], ['40', SECRET]);
});

test('an update that fails leaves everything as it was', async () => {
  const before = await taskDefinition();
  const { exitCode } = await deploy(join(out, 'debug'), { MinTasks: 50 });
  assert.equal(exitCode, 1);
  const { status, parameters } = await stackOf();
  assert.equal(status, 'UPDATE_ROLLBACK_COMPLETE');
  assert.deepEqual([parameters.MinTasks, parameters.MaxTasks], ['1', '40']);
  assert.equal(await taskDefinition(), before);
});

test('a second stack stands beside the first', async () => {
  await succeeds(deploy(await synth('sales', 'name=sales', 'syntheticCallMinutes=15')));
  assert.equal((await stackOf('sales')).status, 'CREATE_COMPLETE');
  const { clusterArns = [] } = await ecs.send(new ListClustersCommand());
  assert.equal(clusterArns.length, 2);
});

test('destroy leaves the logs of workers and crashes, and nothing that runs', async () => {
  const { outputs } = await stackOf('sales');
  for (const folder of ['sales', 'debug']) {
    await succeeds(cdk('destroy', '--app', join(out, folder), '--force'));
  }
  const { clusterArns } = await ecs.send(new ListClustersCommand());
  assert.deepEqual(clusterArns, []);
  const left = (await logGroups()).filter((name) => name.includes('sales'));
  assert.deepEqual(left, [outputs.LogGroupName, outputs.CrashLogGroupName].sort());
});
