// SPDX-License-Identifier: Apache-2.0

// Fills the generated tables of all Markdown files that git tracks: npm run docs:generate.
// With --check nothing is written, and the exit code is 1 if a file differs: npm run docs:check.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { API_REFERENCE } from './api-reference.js';
import { CDK_TABLES } from './cdk-tables.js';
import { fillTables } from './fill.js';
import { FLAG_TABLES } from './flag-tables.js';
import { MONITORING_TABLES } from './monitoring-tables.js';
import { PACKAGE_TABLES } from './package-tables.js';
import { WORKER_TABLES } from './worker-tables.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TABLES = {
  ...API_REFERENCE,
  ...CDK_TABLES,
  ...WORKER_TABLES,
  ...MONITORING_TABLES,
  ...PACKAGE_TABLES,
  ...FLAG_TABLES,
};

const check = process.argv.includes('--check');
const pages = execFileSync('git', ['ls-files', '*.md'], { cwd: ROOT, encoding: 'utf8' })
  .split('\n')
  .filter((page) => page && existsSync(join(ROOT, page)));
const differing = pages.filter((page) => {
  const path = join(ROOT, page);
  const text = readFileSync(path, 'utf8');
  const filled = fillTables(page, text, TABLES);
  if (filled !== text && !check) writeFileSync(path, filled);
  return filled !== text;
});
for (const page of differing) {
  process.stdout.write(check ? `${page} differs: run npm run docs:generate.\n` : `${page}\n`);
}
// Imported programs may hold handles open.
process.exit(check && differing.length > 0 ? 1 : 0);
