// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** What tests and the framework must have one copy of, and what is loaded only when it is used. */
const EXTERNAL = [
  '@livekit/rtc-node',
  '@livekit/rtc-ffi-bindings',
  '@livekit/local-inference',
  '@livekit/protocol',
  'zod',
  'pino',
  'sharp',
  'fluent-ffmpeg',
  '@ffmpeg-installer/*',
];

/**
 * Bundles @livekit/agents into one file, unless that has been done: it consists of 2,000, and Jest loads all of them
 * again for each test file.
 * @returns the path of the bundle
 */
export async function bundleFramework() {
  const entry = fileURLToPath(import.meta.resolve('@livekit/agents'));
  const { version } = JSON.parse(readFileSync(join(dirname(entry), '../package.json'), 'utf8'));
  const name = `../../node_modules/.cache/jest/livekit-agents-${version}.mjs`;
  const bundle = fileURLToPath(new URL(name, import.meta.url));
  if (existsSync(bundle)) return bundle;
  await build({
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    external: EXTERNAL,
    // Some of its dependencies are CommonJS and require Node's own modules.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
    },
    logLevel: 'warning',
  });
  return bundle;
}
