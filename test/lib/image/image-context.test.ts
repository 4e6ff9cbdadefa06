// SPDX-License-Identifier: Apache-2.0

import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { AgentImage } from '../../../lib/image/agent-image.js';
import { stageImageContext } from '../../../lib/image/image-context.js';
import type { LockFile } from '../../../lib/image/prune-lockfile.js';
import { stackOf } from '../synth.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FILES = ['package.json', 'package-lock.json', 'tsconfig.json', 'agent', 'packages'];
let copy: string;

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'project-'));
  const build = /(node_modules|dist)$/;
  for (const name of FILES) {
    cpSync(join(ROOT, name), join(copy, name), {
      recursive: true,
      filter: (path) => !build.test(path),
    });
  }
});

afterAll(() => rmSync(copy, { recursive: true }));

const hash = () => {
  let image: AgentImage | undefined;
  stackOf((scope) => {
    image = new AgentImage(scope, 'Image', { projectRoot: copy });
  });
  return (image as AgentImage).assetHash;
};

/** The image's hash while a file has other contents. */
function hashWith(path: string, change: (text: string) => string): string {
  const file = join(copy, path);
  mkdirSync(join(file, '..'), { recursive: true });
  let before: string | undefined;
  try {
    before = readFileSync(file, 'utf8');
  } catch {}
  writeFileSync(file, change(before ?? ''));
  try {
    return hash();
  } finally {
    if (before === undefined) rmSync(file);
    else writeFileSync(file, before);
  }
}

const comment = (text: string) => `${text}\n// changed\n`;

describe("the image's hash", () => {
  test('is the same for the same sources', () => {
    expect(hash()).toBe(hash());
  });

  test.each([
    'agent/src/assistant.ts',
    'packages/livekit-plugin-nova-sonic/src/index.ts',
    'packages/livekit-plugin-nova-sonic/tsup.config.ts',
    'agent/Dockerfile',
    'agent/bundle-framework.js',
    'agent/src/new.ts',
    'agent/src/x.md.ts',
    'agent/src/x.test.ts.json',
    'agent/src/distance.ts',
  ])('changes with %s', (path) => {
    expect(hashWith(path, comment)).not.toBe(hash());
  });

  test('changes with the version of a package that ships', () => {
    const newer = (text: string) => {
      const lock = JSON.parse(text);
      lock.packages['node_modules/@livekit/agents'].version = '99.0.0';
      return JSON.stringify(lock);
    };
    expect(hashWith('package-lock.json', newer)).not.toBe(hash());
  });

  test.each([
    'docs/operations/configuration.md',
    'test/lib/synth.ts',
    'lib/settings/settings.ts',
    'local/start.ts',
    'README.md',
    'agent/README.md',
    'packages/livekit-plugin-nova-sonic/README.md',
    'agent/src/call.test.ts',
    'agent/dist/main.js',
    'packages/livekit-plugin-nova-sonic/dist/index.js',
    'packages/other/src/index.ts',
    'agent/.env',
    'agent/notes.txt',
    'agent/Dockerfile.old',
    'agent/old/src/x.ts',
  ])('stays with %s', (path) => {
    expect(hashWith(path, comment)).toBe(hash());
  });

  test('stays with the version of a development tool', () => {
    const newer = (text: string) => {
      const lock = JSON.parse(text);
      lock.packages['node_modules/jest'].version = '99.0.0';
      lock.packages['node_modules/aws-cdk-lib'].version = '99.0.0';
      return JSON.stringify(lock);
    };
    expect(hashWith('package-lock.json', newer)).toBe(hash());
    const script = (text: string) => text.replace('"scripts": {', '"scripts": { "other": "true",');
    expect(hashWith('package.json', script)).toBe(hash());
  });
});

describe('the folder from which the image is built', () => {
  test('has what ships, and nothing else', () => {
    const names = readdirSync(stageImageContext(copy));
    expect(names.sort()).toEqual([
      'agent',
      'package-lock.json',
      'package.json',
      'packages',
      'tsconfig.json',
    ]);
  });

  const staged = (name: string) =>
    JSON.parse(readFileSync(join(stageImageContext(copy), name), 'utf8'));

  test('has a package.json of the workspaces and what builds them', () => {
    const { devDependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(staged('package.json')).toEqual({
      name: 'nova-sonic-livekit',
      private: true,
      type: 'module',
      workspaces: ['agent', 'packages/livekit-plugin-nova-sonic'],
      devDependencies: {
        '@types/node': devDependencies['@types/node'],
        tsup: devDependencies.tsup,
        typescript: devDependencies.typescript,
      },
    });
  });

  test('is compiled as the repository is, without the types of its tests', () => {
    const { compilerOptions } = JSON.parse(readFileSync(join(ROOT, 'tsconfig.json'), 'utf8'));
    expect(compilerOptions.types).not.toEqual(['node']);
    expect(staged('tsconfig.json')).toEqual({
      compilerOptions: { ...compilerOptions, types: ['node'] },
    });
  });

  test('is in the cache of the project under a name of its contents, without drafts', () => {
    const folder = stageImageContext(copy);
    expect(folder).toMatch(/\/\.cache\/agent-image\/[0-9a-f]{16}$/);
    for (const name of readdirSync(join(folder, '..'))) expect(name).toMatch(/^[0-9a-f]{16}$/);
  });

  test('is found when it is there', () => {
    const folder = stageImageContext(copy);
    writeFileSync(join(folder, 'mark'), '');
    try {
      expect(stageImageContext(copy)).toBe(folder);
      expect(readdirSync(folder)).toContain('mark');
    } finally {
      rmSync(join(folder, 'mark'));
    }
  });

  test('has the natives for both processors in its lock file, and no development package', () => {
    const lock: LockFile = JSON.parse(
      readFileSync(join(stageImageContext(copy), 'package-lock.json'), 'utf8'),
    );
    for (const native of [
      ...['@livekit/rtc-ffi-bindings-linux-arm64-gnu', '@livekit/rtc-ffi-bindings-linux-x64-gnu'],
      ...['@livekit/av-linux-arm64', '@img/sharp-linux-arm64'],
    ]) {
      expect(lock.packages[`node_modules/${native}`]).toMatchObject({
        integrity: expect.stringMatching(/^sha512-/),
      });
    }
    for (const tool of ['jest', 'aws-cdk-lib', '@biomejs/biome', 'text2wav', 'tsx']) {
      expect(lock.packages).not.toHaveProperty([`node_modules/${tool}`]);
    }
  });
});

test("the repository's lock file has every platform's package, without which npm ci fails elsewhere", () => {
  const { packages }: LockFile = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies)
      .filter((name) => !names.has(name))
      .map((name) => `${path} -> ${name}`),
  );
  expect(missing).toEqual([]);
});
