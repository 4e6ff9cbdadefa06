// SPDX-License-Identifier: Apache-2.0
// Types for both module systems: tsc writes the .d.ts files, and each entry is copied as .d.cts for `require`. The copies
// import the .d.ts files, as those of @livekit/agents do: otherwise its classes and ours would have the AudioFrame of two
// module systems, which TypeScript takes for two types.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, 'dist');
const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', here], { stdio: 'inherit' });
const files = readdirSync(dist, { recursive: true, encoding: 'utf8' });
for (const file of files.filter((name) => name.endsWith('.d.ts'))) {
  const text = readFileSync(join(dist, file), 'utf8');
  writeFileSync(join(dist, file.replace(/\.ts$/, '.cts')), text);
}
