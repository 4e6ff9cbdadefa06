// SPDX-License-Identifier: Apache-2.0

import { cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { execa } from 'execa';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const SHIPPED = `${ROOT}.cache/shipped`;

/**
 * Lays out what the image contains, from the built agent: the framework is bundled, its modules are not.
 * @returns the arguments of Node that the image starts the worker with
 */
export async function shippedAgent(): Promise<string[]> {
  rmSync(SHIPPED, { recursive: true, force: true });
  mkdirSync(`${SHIPPED}/packages`, { recursive: true });
  // Links to the same files: packages of 1 GB.
  await execa('cp', ['-al', `${ROOT}node_modules`, SHIPPED]);
  cpSync(`${ROOT}agent`, `${SHIPPED}/agent`, { recursive: true });
  const plugin = 'packages/livekit-plugin-nova-sonic';
  cpSync(`${ROOT}${plugin}`, `${SHIPPED}/${plugin}`, { recursive: true });

  const framework = `${SHIPPED}/node_modules/@livekit/agents/dist`;
  rmSync(framework, { recursive: true });
  await execa(process.execPath, ['agent/bundle-framework.js', framework], { cwd: ROOT });

  const dockerfile = readFileSync(`${ROOT}agent/Dockerfile`, 'utf8');
  const [, ...command] = JSON.parse(/^CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]') as string[];
  return command.map((argument) =>
    argument.endsWith('.js') ? `${SHIPPED}/agent/${argument}` : argument,
  );
}
