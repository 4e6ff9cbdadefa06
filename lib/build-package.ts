// SPDX-License-Identifier: Apache-2.0

// Builds what `npm pack` publishes, into dist/: one bundle for each module system, the types, and the files from which the
// agent's image is built, so that a CDK app elsewhere needs nothing else of this repository.

import { execFileSync } from 'node:child_process';
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build } from 'esbuild';
import { stageImageContext } from './image/image-context.js';

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, '..');
const dist = join(here, 'dist');
const MODELS = 'packages/livekit-plugin-nova-sonic/src/protocol/models';

rmSync(dist, { recursive: true, force: true });
const common: BuildOptions = {
  entryPoints: [join(here, 'index.ts')],
  bundle: true,
  platform: 'node',
  target: 'node20',
  external: ['aws-cdk-lib', 'constructs', 'zod', 'fastest-levenshtein'],
  // Not its package, which has the natives of WebRTC among its peers.
  alias: { 'livekit-plugin-nova-sonic/models': join(root, `${MODELS}.ts`) },
};
await build({ ...common, format: 'esm', outfile: join(dist, 'index.js') });
await build({
  ...common,
  format: 'cjs',
  outfile: join(dist, 'index.cjs'),
  define: { 'import.meta.url': 'moduleUrl' },
  banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
});

const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
const tsc = [join(typescript, 'bin', 'tsc'), '-p', join(here, 'tsconfig.package.json')];
execFileSync(process.execPath, tsc, { stdio: 'inherit' });
const types = join(dist, 'types');
for (const file of readdirSync(types, { recursive: true, encoding: 'utf8' })) {
  if (!file.endsWith('.d.ts')) continue;
  const path = join(types, file);
  const models = relative(dirname(path), join(types, MODELS)).replaceAll('\\', '/');
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.replaceAll('livekit-plugin-nova-sonic/models', `${models}.js`));
}
// For both module systems: either may import the types of a CommonJS module.
writeFileSync(join(types, 'package.json'), '{ "type": "commonjs" }\n');

cpSync(stageImageContext(root), join(dist, 'agent-image'), { recursive: true });
