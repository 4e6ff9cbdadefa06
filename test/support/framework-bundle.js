// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript: jest.config.js uses it.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleFramework } from '../../agent/bundle-framework.js';

const INSTALLED = dirname(dirname(fileURLToPath(import.meta.resolve('@livekit/agents'))));

/**
 * Bundles @livekit/agents as the image has it, unless that has been done: Jest loads its 2,000 modules again for each
 * test file.
 * @returns the path of the bundle
 */
export async function frameworkBundle() {
  const bundler = fileURLToPath(import.meta.resolve('../../agent/bundle-framework.js'));
  const hash = createHash('sha256').update(readFileSync(bundler));
  hash.update(readFileSync(join(INSTALLED, 'package.json')));
  const name = `../../node_modules/.cache/jest/livekit-agents-${hash.digest('hex').slice(0, 16)}`;
  const folder = fileURLToPath(new URL(name, import.meta.url));
  if (!existsSync(folder)) await bundleFramework(INSTALLED, folder);
  return join(folder, 'index.js');
}
