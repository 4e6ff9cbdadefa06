// SPDX-License-Identifier: Apache-2.0

// Plain JavaScript, because Jest loads it without a transform.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Makes what the commands under test would otherwise make in the middle of a test: minutes, on a new machine. */
export default function prepare() {
  const script = fileURLToPath(new URL('prepare.ts', import.meta.url));
  const { status } = spawnSync(process.execPath, ['--import', 'tsx', script], { stdio: 'inherit' });
  if (status !== 0) throw new Error('The end-to-end tests could not be prepared, see above.');
}
