// SPDX-License-Identifier: Apache-2.0

// `npm run test:conversations`: 1,000 seeded conversations of the plugin with a simulated service, shared out among the cores,
// then 200 questions typed over replies at each network delay, and 45 minutes of calls in noise. Virtual time; the unit
// tests play a part of them.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

const { CONVERSATIONS = '1000', FIRST_CONVERSATION = '1', TYPED_QUESTIONS = '200' } = process.env;
const { NOISE_LEVELS = '-50,-40,-32,-26' } = process.env;
const PLUGIN = 'test/packages/livekit-plugin-nova-sonic';

async function play(file, env) {
  const args = ['--experimental-vm-modules', '--no-warnings', 'node_modules/jest/bin/jest.js'];
  args.push('--selectProjects', 'unit', '--ci', '--verbose', `${PLUGIN}/${file}`);
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  });
  const [code] = await once(child, 'exit');
  return code ?? 1;
}

const all = Number(CONVERSATIONS);
const share = Math.ceil(all / Math.min(availableParallelism(), all));
const shares = [];
for (let from = 0; from < all; from += share)
  shares.push({
    CONVERSATIONS: String(Math.min(share, all - from)),
    FIRST_CONVERSATION: String(Number(FIRST_CONVERSATION) + from),
  });
const started = performance.now();
const codes = await Promise.all(shares.map((env) => play('turns/simulated-conv', env)));
const seconds = Math.round((performance.now() - started) / 1_000);
process.stdout.write(`\n${all} conversations and as many that are closed: ${seconds} s\n\n`);
codes.push(await play('turns/typing', { TYPED_QUESTIONS }));
codes.push(await play('continuation/noisy-calls', { NOISE_LEVELS }));
process.exit(Math.max(...codes));
