// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { BUILD_TOOLS, type LockFile, pruneLockfile } from '../../../lib/image/prune-lockfile.js';

const manifest = {
  name: 'root',
  workspaces: ['app', 'app/src/plugin'],
  devDependencies: { tool: '1' },
};

const lock: LockFile = {
  lockfileVersion: 3,
  packages: {
    '': { devDependencies: { unused: '1' } },
    app: {
      dependencies: { a: '1', b: '1', linked: '1', plugin: '1' },
      devDependencies: { builder: '1' },
    },
    'app/src/plugin': { dependencies: { d: '1' } },
    elsewhere: { dependencies: { unused: '1' } },
    'node_modules/app': { link: true, resolved: 'app' },
    'node_modules/plugin': { link: true, resolved: 'app/src/plugin' },
    'libs/linked': { dependencies: { g: '1' } },
    'node_modules/linked': { link: true, resolved: 'libs/linked' },
    'node_modules/elsewhere': { link: true, resolved: 'elsewhere' },
    'app/node_modules/a': { version: '2', peerDependencies: { c: '1' } },
    'node_modules/a': { version: '1' },
    'node_modules/b': {
      version: '1',
      optionalDependencies: { a: '1', absent: '1' },
      // Of a package that is not ours, its tools are not installed.
      devDependencies: { unused: '1' },
      peerDependencies: { unused: '1' },
      peerDependenciesMeta: { unused: { optional: true } },
    },
    'node_modules/builder': { version: '1' },
    'node_modules/c': { version: '1' },
    'node_modules/d': { version: '1', dependencies: { e: '1' } },
    'node_modules/d/node_modules/e': { version: '2', dependencies: { f: '1' } },
    'node_modules/e': { version: '1' },
    'node_modules/f': { version: '1' },
    'node_modules/g': { version: '1' },
    'node_modules/tool': { version: '1' },
    'node_modules/unused': { version: '1' },
  },
};

test('what ships is found as Node finds it: the nearest copy, through links, with what builds it', () => {
  const shipped = pruneLockfile(lock, manifest);
  expect(shipped.lockfileVersion).toBe(3);
  expect(shipped.packages['']).toEqual(manifest);
  expect(Object.keys(shipped.packages)).toEqual([
    '',
    'app',
    'app/src/plugin',
    'node_modules/app',
    'node_modules/plugin',
    'libs/linked',
    'node_modules/linked',
    'app/node_modules/a',
    // Of b, which finds the copy beside it.
    'node_modules/a',
    'node_modules/b',
    'node_modules/builder',
    'node_modules/c',
    'node_modules/d',
    'node_modules/d/node_modules/e',
    'node_modules/f',
    'node_modules/g',
    'node_modules/tool',
  ]);
  expect(shipped.packages['app/node_modules/a']).toBe(lock.packages['app/node_modules/a']);
});

test('what compiles the agent is named', () => {
  expect(BUILD_TOOLS).toEqual(['@types/node', 'tsup', 'typescript']);
});
