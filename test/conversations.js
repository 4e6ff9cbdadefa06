// SPDX-License-Identifier: Apache-2.0

// `npm run test:conversations`: 1,000 seeded conversations of the plugin with a simulated service, and 200 questions typed over
// replies at each network delay. Virtual time; the unit tests play a part of them.

import { spawnSync } from 'node:child_process';

const { CONVERSATIONS = '1000', TYPED_QUESTIONS = '200' } = process.env;
const turns = 'test/packages/livekit-plugin-nova-sonic/turns';
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--no-warnings',
    'node_modules/jest/bin/jest.js',
    ...[
      '--selectProjects',
      'unit',
      '--ci',
      '--verbose',
      `${turns}/simulated-conv`,
      `${turns}/typing`,
    ],
  ],
  { stdio: 'inherit', env: { ...process.env, CONVERSATIONS, TYPED_QUESTIONS } },
);
process.exit(status ?? 1);
