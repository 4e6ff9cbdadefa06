// SPDX-License-Identifier: Apache-2.0

/** Packages that compile the agent in the image's build; none of them is in the image. */
export const BUILD_TOOLS = ['@types/node', 'tsup', 'typescript'] as const;

interface LockedPackage {
  readonly link?: boolean;
  readonly resolved?: string;
  readonly dependencies?: Record<string, string>;
  readonly optionalDependencies?: Record<string, string>;
  readonly peerDependencies?: Record<string, string>;
  readonly peerDependenciesMeta?: Record<string, { optional?: boolean }>;
  readonly devDependencies?: Record<string, string>;
  readonly [field: string]: unknown;
}

export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
  readonly [field: string]: unknown;
}

export interface Manifest {
  readonly name: string;
  readonly workspaces: readonly string[];
  readonly devDependencies: Readonly<Record<string, string>>;
}

/**
 * Reduces a lock file (npm's version 3) to what the workspaces and the build tools need: the same versions and
 * checksums, without the packages that only the rest of the repository uses.
 */
export function pruneLockfile(lock: LockFile, manifest: Manifest): LockFile {
  const kept = new Set<string>();
  const visit = (path: string) => {
    const found = lock.packages[path];
    if (!found || kept.has(path)) return;
    kept.add(path);
    if (found.link && found.resolved) {
      visit(found.resolved);
      return;
    }
    const wanted = {
      ...found.dependencies,
      ...found.optionalDependencies,
      ...requiredPeers(found),
      // The development dependencies of a workspace are part of its build.
      ...(manifest.workspaces.includes(path) ? found.devDependencies : {}),
    };
    for (const name of Object.keys(wanted)) visit(resolve(lock, path, name));
  };
  for (const workspace of manifest.workspaces) visit(workspace);
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (entry.link && manifest.workspaces.includes(entry.resolved ?? '')) visit(path);
  }
  for (const tool of Object.keys(manifest.devDependencies)) visit(`node_modules/${tool}`);

  const packages = Object.fromEntries(
    Object.entries(lock.packages).filter(([path]) => kept.has(path)),
  );
  return { ...lock, packages: { '': { ...manifest }, ...packages } };
}

function requiredPeers({ peerDependencies = {}, peerDependenciesMeta = {} }: LockedPackage) {
  return Object.fromEntries(
    Object.entries(peerDependencies).filter(([name]) => !peerDependenciesMeta[name]?.optional),
  );
}

/** Resolves a package from a folder as Node does: in the nearest `node_modules` upwards. */
function resolve(lock: LockFile, from: string, name: string): string {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    if (lock.packages[path] || folder === '') return path;
  }
}
