// SPDX-License-Identifier: Apache-2.0
// The CDK app of a stranger, with the library as `npm pack` makes it and without this repository: types for both module
// systems, the README's example, an agent of its own in the asset. Writes the templates into the folder that is its argument.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const [, , out = mkdtempSync(join(tmpdir(), 'stranger-out-'))] = process.argv;
const app = mkdtempSync(join(tmpdir(), 'stranger-'));
const modules = join(app, 'node_modules');
const bin = (name: string) => join(ROOT, 'node_modules', '.bin', name);
const run = (command: string, args: string[], cwd = app) =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

try {
  const [tarball = ''] = run(
    'npm',
    ['pack', '--silent', '--pack-destination', app],
    join(ROOT, 'lib'),
  )
    .trim()
    .split('\n')
    .slice(-1);
  mkdirSync(modules);
  run('tar', ['xzf', tarball]);
  cpSync(join(app, 'package'), join(modules, 'nova-sonic-livekit-cdk'), { recursive: true });
  // What npm would install for it, and for any CDK app.
  for (const name of [
    'aws-cdk-lib',
    'constructs',
    'zod',
    'fastest-levenshtein',
    '@types/node',
    'undici-types',
  ]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }

  const readme = readFileSync(join(ROOT, 'lib', 'README.md'), 'utf8');
  const [smallest = '', own = ''] = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(
    ([, code]) => code,
  );
  const imports = `import { App, Stack } from 'aws-cdk-lib/core';
import { AgentImage, CallScaling, DeploymentAlarms, SyntheticCall, VoiceAgentMonitoring, VoiceAgentService } from 'nova-sonic-livekit-cdk';
const stack = new Stack(new App(), 'own-agent');`;
  const more = `
new CallScaling(stack, 'Scaling', { service: agent.service, metrics: agent.metrics, rushSteps: [150, 300] });
new DeploymentAlarms(stack, 'DeploymentAlarms', { agent });
const syntheticCall = new SyntheticCall(stack, 'SyntheticCall', { agent });
const alarmChanges = { CallsRejected: false } as const;
new VoiceAgentMonitoring(stack, 'Monitoring', { agent, syntheticCall, alarmChanges });
`;
  mkdirSync(join(app, 'my-agent'));
  const assistant =
    'export const assistant = () => ({ instructions: "You are the front desk of a hotel." });\n';
  writeFileSync(join(app, 'my-agent', 'assistant.ts'), assistant);
  writeFileSync(join(app, 'smallest.mts'), smallest);
  writeFileSync(join(app, 'own-agent.cts'), `${imports}\n${own}${more}`);
  writeFileSync(join(app, 'package.json'), '{ "name": "stranger" }');
  const compilerOptions = {
    ...{ module: 'node16', target: 'es2022', strict: true, skipLibCheck: false },
    ...{ types: ['node'], rootDir: '.', outDir: 'js' },
  };
  writeFileSync(
    join(app, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] }),
  );
  run(bin('tsc'), ['-p', '.']);

  for (const [name, file] of [
    ['smallest', 'js/smallest.mjs'],
    ['own-agent', 'js/own-agent.cjs'],
  ] as const) {
    const folder = join(out, `stranger-${name}`);
    run(bin('cdk'), ['synth', '--quiet', '--output', folder, '--app', `node ${file}`]);
    const [asset = ''] = readdirSync(folder).filter((entry) => entry.startsWith('asset.'));
    const inAsset = readFileSync(join(folder, asset, 'agent/src/assistant.ts'), 'utf8');
    assert.equal(inAsset === assistant, name === 'own-agent');
    assert.match(readFileSync(join(folder, asset, 'agent/Dockerfile'), 'utf8'), /synthetic|CMD/);
  }
  process.stdout.write(
    'A stranger’s CDK app has the library as npm packs it: types, synth and its own agent.\n',
  );
} catch (error) {
  const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
  process.stderr.write(`${stdout}${stderr}${error instanceof Error ? error.stack : error}\n`);
  process.exitCode = 1;
} finally {
  rmSync(app, { recursive: true, force: true });
}
