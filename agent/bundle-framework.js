// SPDX-License-Identifier: Apache-2.0

// bundle-framework.js [OUT [LOCK_FILE…]]: bundles the installed @livekit/agents, of which each process loads 2,000 modules,
// many for what no call uses: half of the CPU at its start and a fifth of its memory. `npm ci` runs it in place, the
// Dockerfile with a folder. Plain JavaScript, as it runs before anything is built.

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const FRAMEWORK = fileURLToPath(new URL('../node_modules/@livekit/agents', import.meta.url));

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

async function bundleFramework(framework, outdir) {
  await build({
    entryPoints: {
      index: join(framework, 'dist/index.js'),
      // The worker replaces the framework's pool of processes, which is not among its exports.
      'ipc/proc_pool': join(framework, 'dist/ipc/proc_pool.js'),
      // What the pool starts: it looks for it next to the bundle, as it does for `resources` two folders up.
      job_proc_lazy_main: join(framework, 'dist/ipc/job_proc_lazy_main.js'),
    },
    outdir,
    bundle: true,
    splitting: true,
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

/**
 * Bundles an installed @livekit/agents, and points its package.json at the bundle.
 * @param out where both go: the package's folder, or another whose contents are laid over it later
 */
async function bundlePackage(framework, out) {
  const manifest = JSON.parse(readFileSync(join(framework, 'package.json'), 'utf8'));
  await bundleFramework(framework, join(out, 'dist/bundle'));
  manifest.exports.import.default = './dist/bundle/index.js';
  // A new file: an installed one may be linked to npm's cache or to another checkout.
  rmSync(join(out, 'package.json'), { force: true });
  writeFileSync(join(out, 'package.json'), JSON.stringify(manifest, null, 2));
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

const [, , out = FRAMEWORK, ...lockFiles] = process.argv;
await bundlePackage(FRAMEWORK, out);
for (const file of lockFiles) unlockBundled(file);
