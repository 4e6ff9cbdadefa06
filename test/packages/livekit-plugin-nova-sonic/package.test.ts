// SPDX-License-Identifier: Apache-2.0
// The package as other people get it: both module systems, types, README; one copy of the framework.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { installPacked, type PackedPackage, run } from '../../support/packed-package.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PACKAGE = join(ROOT, 'packages/livekit-plugin-nova-sonic');
/** Compilers and packers in processes of their own, beside whatever else a machine does. */
const TIMEOUT_MS = 300_000;
let plugin: PackedPackage;
let folder: string;

beforeAll(() => {
  plugin = installPacked('livekit-plugin-nova-sonic');
  folder = plugin.folder;
}, TIMEOUT_MS);
afterAll(() => plugin.remove());

const MANIFEST = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
const CHECK = `
  const registered = Plugin.registeredPlugins.find((p) => p.package === '${MANIFEST.name}');
  if (registered?.version !== '${MANIFEST.version}') throw new Error('not registered with its version');
  if (typeof RealtimeModel !== 'function' || realtime.RealtimeModel !== RealtimeModel) throw new Error('exports');
  if (!(new RealtimeModel() instanceof llm.RealtimeModel)) throw new Error('another copy of the framework');
  console.log(Object.keys(NOVA_SONIC_2_VOICES).length);
  process.exit(0);
`;

test('the package has code, types, README and documents, and no sources', () => {
  const { installed } = plugin;
  expect(readdirSync(installed).sort()).toEqual([
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'package.json',
  ]);
  const dist = readdirSync(join(installed, 'dist'));
  for (const file of ['index.js', 'index.cjs', 'index.d.ts', 'index.d.cts'])
    expect(dist).toContain(file);
  const built = readdirSync(join(installed, 'dist/protocol'));
  for (const file of ['models.js', 'models.cjs', 'models.d.ts', 'models.d.cts'])
    expect(built).toContain(file);
  const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
  expect(Object.keys(manifest.peerDependencies)).toEqual(['@livekit/agents', '@livekit/rtc-node']);
  expect(Object.keys(manifest.dependencies)).toEqual(['@aws-sdk/client-bedrock-runtime', 'zod']);
  const parity = readFileSync(join(installed, 'docs/parity.md'), 'utf8');
  expect(parity).toContain('| member | Python plugin | this plugin |');
});

test('it has no code of other packages in it', () => {
  const dist = join(plugin.installed, 'dist');
  const maps = readdirSync(dist, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.map'),
  );
  expect(maps.length).toBeGreaterThan(0);
  for (const map of maps) {
    const { sources } = JSON.parse(readFileSync(join(dist, map), 'utf8')) as { sources: string[] };
    expect(sources.filter((source) => source.includes('node_modules'))).toEqual([]);
  }
});

test(
  'it is imported as ESM and required as CommonJS, with the framework of its user',
  () => {
    writeFileSync(
      join(folder, 'a.mjs'),
      `import { NOVA_SONIC_2_VOICES, RealtimeModel, realtime } from 'livekit-plugin-nova-sonic';
     import { llm, Plugin } from '@livekit/agents';${CHECK}`,
    );
    writeFileSync(
      join(folder, 'b.cjs'),
      `const { NOVA_SONIC_2_VOICES, RealtimeModel, realtime } = require('livekit-plugin-nova-sonic');
     const { llm, Plugin } = require('@livekit/agents');${CHECK}`,
    );
    expect(run(process.execPath, ['a.mjs'], folder).trim()).toBe('16');
    expect(run(process.execPath, ['b.cjs'], folder).trim()).toBe('16');
  },
  TIMEOUT_MS,
);

test(
  'the models are imported without the framework, and are the same objects',
  () => {
    const check = (load: string) => `${load}
    if (models.NOVA_SONIC_2_VOICES !== plugin.NOVA_SONIC_2_VOICES) throw new Error('two copies');
    console.log(models.DEFAULT_MODEL);
    process.exit(0);`;
    writeFileSync(
      join(folder, 'c.mjs'),
      check(`import * as models from 'livekit-plugin-nova-sonic/models';
      import * as plugin from 'livekit-plugin-nova-sonic';`),
    );
    writeFileSync(
      join(folder, 'd.cjs'),
      check(`const models = require('livekit-plugin-nova-sonic/models');
      const framework = () => Object.keys(require.cache).some((f) => f.includes('@livekit/agents'));
      if (framework()) throw new Error('models import the framework');
      const plugin = require('livekit-plugin-nova-sonic');
      if (!framework()) throw new Error('the check itself finds nothing');`),
    );
    for (const file of ['c.mjs', 'd.cjs'])
      expect(run(process.execPath, [file], folder).trim()).toBe('amazon.nova-2-sonic-v1:0');
  },
  TIMEOUT_MS,
);

/** What a stranger writes, in either module system. */
const PROGRAM = `import { voice } from '@livekit/agents';
import * as aws from 'livekit-plugin-nova-sonic';
import { RealtimeModel, type RealtimeModelOptions, type TurnTiming } from 'livekit-plugin-nova-sonic';
import { tokenCostUsd, type TokenPrices } from 'livekit-plugin-nova-sonic/models';
const options: RealtimeModelOptions = { voice: 'amy' };
const model = new RealtimeModel(options);
void new voice.AgentSession({ llm: model, vad: null });
void new voice.AgentSession({ llm: new aws.realtime.RealtimeModel({ voice: 'a-new-one', force: true }) });
const duration = (timing: TurnTiming): number => timing.audioMs;
model.session().on('turn_timing', (timing) => duration(timing));
// @ts-expect-error a mistake is found
new RealtimeModel({ voice: 5 });
// @ts-expect-error so is one in a listener
model.session().on('barge_in', ({ nothing }) => nothing);
void ((prices: TokenPrices): number => tokenCostUsd({ audioIn: 1 }, prices));
`;

test(
  'publint and Are The Types Wrong find nothing',
  () => {
    const program = join(ROOT, 'test/packages/publish-checks.mjs');
    expect(run(process.execPath, [program, plugin.tarball], ROOT)).toBe('');
  },
  TIMEOUT_MS,
);

test(
  'each exported name and each public member is documented',
  () => {
    const dist = join(plugin.installed, 'dist');
    const entries = ['index.d.ts', 'protocol/models.d.ts'].map((file) => join(dist, file));
    const program = join(ROOT, 'test/packages/public-docs.mjs');
    expect(run(process.execPath, [program, ...entries], ROOT)).toBe('');
  },
  TIMEOUT_MS,
);

/** Of this repository, and the one that `.ci/typescript-5.9` installs. */
const COMPILERS = ['node_modules', '.cache/typescript-5.9/node_modules']
  .map((modules) => join(ROOT, modules, 'typescript'))
  .filter((compiler, i) => i === 0 || process.env.CI || existsSync(compiler));
test.each(COMPILERS)(
  'strangers compile it, and the first program of the README, as ESM, CommonJS and for bundlers: %s',
  (compiler) => {
    const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
    const [, first] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    writeFileSync(join(folder, 'readme.mts'), first as string);
    writeFileSync(join(folder, 'a.mts'), PROGRAM);
    writeFileSync(join(folder, 'b.cts'), PROGRAM);
    const compile = (files: string[], compilerOptions: object) => {
      writeFileSync(
        join(folder, 'tsconfig.json'),
        JSON.stringify({
          compilerOptions: {
            strict: true,
            noEmit: true,
            skipLibCheck: true,
            target: 'ES2022',
            types: ['node'],
            ...compilerOptions,
          },
          files,
        }),
      );
      const tsc = join(compiler, 'bin/tsc');
      run(process.execPath, [tsc, '-p', '.'], folder);
    };
    compile(['a.mts', 'b.cts', 'readme.mts'], { module: 'NodeNext' });
    compile(['a.mts', 'readme.mts'], { module: 'ESNext', moduleResolution: 'Bundler' });
  },
  TIMEOUT_MS,
);

test(
  'the first program of the README runs',
  () => {
    const readme = readFileSync(join(PACKAGE, 'README.md'), 'utf8');
    const [, first] = /```ts\n([\s\S]*?)```/.exec(readme) ?? [];
    // It has no types in it, so Node runs it as it is.
    writeFileSync(join(folder, 'readme.mjs'), first as string);
    expect(run(process.execPath, ['readme.mjs', '--help'], folder)).toContain('start');
  },
  TIMEOUT_MS,
);
