// SPDX-License-Identifier: Apache-2.0

import { createHash, randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { BUILD_TOOLS, pruneLockfile } from './prune-lockfile.js';

/** The workspaces that ship. */
const SHIPPED_WORKSPACES = ['agent', 'packages/livekit-plugin-nova-sonic'];

/** Their files that the image's build needs: the sources, and the configuration that compiles them. */
const SHIPPED =
  /^(Dockerfile|package\.json|tsconfig\.json|tsup\.config\.ts|build-types\.mjs|bundle-framework\.js|src\/.+)$/;

/** Exceptions: build output, documents and tests. */
const NOT_SHIPPED = /(^|\/)(dist|node_modules)(\/|$)|\.md$|\.test\.ts$|(^|\/)\./;

/**
 * Stages the folder from which the image is built. It holds only what ships: no documents, tests or CDK code, and only
 * the agent's packages of the lock file, so that a new version of a development tool does not replace every task.
 *
 * The folder is named after the hash of its contents; a second call with the same sources reuses it.
 * @returns its path, under `.cache/` of the project
 */
export function stageImageContext(root: string): string {
  const files = imageFiles(root);
  const hash = createHash('sha256');
  for (const [path, content] of files) hash.update(`${path}\0${content.length}\0`).update(content);
  const folder = join(root, '.cache', 'agent-image', hash.digest('hex').slice(0, 16));
  if (existsSync(folder)) return folder;

  // Renamed into place when complete, because another synth may run at the same time.
  const draft = `${folder}.${randomBytes(4).toString('hex')}`;
  for (const [path, content] of files) {
    mkdirSync(dirname(join(draft, path)), { recursive: true });
    writeFileSync(join(draft, path), content);
  }
  try {
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true });
    if (!existsSync(folder)) throw error;
  }
  return folder;
}

/** The files of the image's build context in the order of their paths. */
function imageFiles(root: string): [path: string, content: Buffer][] {
  const paths = SHIPPED_WORKSPACES.flatMap((workspace) => {
    const folder = join(root, workspace);
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
      .filter((path) => SHIPPED.test(path) && !NOT_SHIPPED.test(path))
      .map((path) => `${workspace}/${path}`);
  });

  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const tools = Object.fromEntries(
    BUILD_TOOLS.map((name) => [name, manifest.devDependencies[name]]),
  );
  const shippedManifest = {
    name: manifest.name,
    private: true,
    type: manifest.type,
    workspaces: SHIPPED_WORKSPACES,
    devDependencies: tools,
  };
  // The compiler options, without the repository's list of files and without the types of its tests.
  const { compilerOptions } = JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8'));
  const json = (value: unknown) => Buffer.from(`${JSON.stringify(value, null, 2)}\n`);
  const files: [string, Buffer][] = [
    ...paths.map((path): [string, Buffer] => [path, readFileSync(join(root, path))]),
    ['package.json', json(shippedManifest)],
    ['package-lock.json', json(pruneLockfile(lock, shippedManifest))],
    ['tsconfig.json', json({ compilerOptions: { ...compilerOptions, types: ['node'] } })],
  ];
  return files.sort(([a], [b]) => (a < b ? -1 : 1));
}
