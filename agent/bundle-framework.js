// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: the Dockerfile and jest.config.js use it.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What others import as well, of which there must be one copy, and native modules. */
const EXTERNAL = [
  '@livekit/rtc-node',
  '@livekit/rtc-ffi-bindings',
  '@livekit/local-inference',
  '@livekit/protocol',
  '@livekit/av',
  '@opentelemetry/api',
  'livekit-server-sdk',
  'zod',
  'pino',
  'fluent-ffmpeg',
  '@ffmpeg-installer/*',
];

/** 24 MiB that encode images, which Nova Sonic does not take: loaded when the first one comes. */
const LAZY_SHARP = {
  name: 'lazy-sharp',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^sharp$/ }, () => ({ path: 'sharp', namespace: 'lazy' }));
    onLoad({ filter: /.*/, namespace: 'lazy' }, () => ({
      contents: `export default (...image) => require('sharp')(...image);`,
    }));
  },
};

/**
 * Bundles @livekit/agents, of which each process loads 2,000 modules, many for what no call uses.
 * @param framework the folder of the installed package
 * @param outdir where `index.js` and the other entries go
 */
export async function bundleFramework(framework, outdir, entries = { index: 'index.js' }) {
  await build({
    entryPoints: Object.fromEntries(
      Object.entries(entries).map(([name, path]) => [name, join(framework, 'dist', path)]),
    ),
    outdir,
    bundle: true,
    splitting: Object.keys(entries).length > 1,
    // Half of the source, which V8 keeps; names stay as they are in stack traces.
    minifyWhitespace: true,
    minifySyntax: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: EXTERNAL,
    plugins: [LAZY_SHARP],
    // Some of its dependencies are CommonJS and require Node's own modules.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
}

/** Writes what can take the place of an installed package's `dist`. */
async function bundleDist(framework, dist) {
  // As deep as the modules that look for the package's `resources` and for a process's program next to themselves.
  await bundleFramework(framework, join(dist, 'bundle'), {
    index: 'index.js',
    proc_pool: 'ipc/proc_pool.js',
    job_proc_lazy_main: 'ipc/job_proc_lazy_main.js',
  });
  writeFileSync(join(dist, 'index.js'), "export * from './bundle/index.js';\n");
  mkdirSync(join(dist, 'ipc'));
  writeFileSync(join(dist, 'ipc/proc_pool.js'), "export * from '../bundle/proc_pool.js';\n");
}

/** Takes the packages that the bundle contains out of a lock file: `npm prune` removes those that nothing else needs. */
function unlockBundled(file) {
  const lock = JSON.parse(readFileSync(file, 'utf8'));
  const locked = lock.packages['node_modules/@livekit/agents'];
  locked.dependencies = Object.fromEntries(
    Object.entries(locked.dependencies).filter(([name]) => EXTERNAL.includes(name)),
  );
  writeFileSync(file, JSON.stringify(lock, null, 2));
}

const [, program, dist, ...lockFiles] = process.argv;
if (program === fileURLToPath(import.meta.url)) {
  await bundleDist(resolve('node_modules/@livekit/agents'), resolve(dist));
  for (const file of lockFiles) unlockBundled(file);
}
