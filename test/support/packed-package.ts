// SPDX-License-Identifier: Apache-2.0

import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Runs a command. @returns its standard output  @throws when it fails */
export const run = (command: string, args: string[], cwd: string): string =>
  execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** A package of this repository as its users have it. */
export interface PackedPackage {
  /** A folder of theirs, with the package in its node_modules. */
  folder: string;
  /** What `npm pack` made. */
  tarball: string;
  /** Where it is installed. */
  installed: string;
  remove(): void;
}

/**
 * Packs a package, which builds it, and installs it in an empty folder. Everything else that a user has installed is taken
 * from this checkout, but for the packages of `without`.
 * @param name also the name of its folder in packages/
 */
export function installPacked(name: string, without: readonly string[] = []): PackedPackage {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  const packed = run('npm', ['pack', '--silent', '--pack-destination', folder], copy(name, folder));
  const tarball = join(folder, packed.trim().split('\n').at(-1) as string);
  const modules = join(folder, 'node_modules');
  mkdirSync(modules);
  for (const other of readdirSync(join(ROOT, 'node_modules'))) {
    if (other.startsWith('.') || other === name || without.includes(other)) continue;
    symlinkSync(join(ROOT, 'node_modules', other), join(modules, other));
  }
  const installed = join(modules, name);
  run('tar', ['-xzf', tarball], folder);
  run('mv', ['package', installed], folder);
  return {
    folder,
    tarball,
    installed,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** A checkout of the package alone: packing builds, and the real one's dist may be in use meanwhile. */
function copy(name: string, folder: string): string {
  const from = join(ROOT, 'packages', name);
  const root = join(folder, 'checkout');
  const to = join(root, 'packages', name);
  cpSync(from, to, { recursive: true, filter: (path) => path !== join(from, 'dist') });
  copyFileSync(join(ROOT, 'tsconfig.json'), join(root, 'tsconfig.json'));
  symlinkSync(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  return to;
}
