// SPDX-License-Identifier: Apache-2.0

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from '@jest/globals';
import { execa } from 'execa';

const ROOT = join(import.meta.dirname, '../..');

it('leaves nothing of OpenTelemetry to the next test file, whichever of the two comes first', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'files-'));
  try {
    const registers = `
      const { trace } = require(${JSON.stringify(`${ROOT}/node_modules/@opentelemetry/api`)});
      test('registers', () => {
        const provider = { getTracer: () => ({}) };
        expect(trace.setGlobalTracerProvider(provider)).toBe(true);
        expect(trace.getTracerProvider().getDelegate()).toBe(provider);
      });`;
    for (const name of ['first.js', 'second.js']) await writeFile(join(folder, name), registers);
    const config = {
      rootDir: folder,
      testMatch: ['**/*.js'],
      testEnvironment: `${ROOT}/test/support/environment.js`,
      testEnvironmentOptions: { globalsCleanup: 'off' },
      transform: {
        '/node_modules/@opentelemetry/': [
          `${ROOT}/test/support/shared-packages.js`,
          { type: 'commonjs' },
        ],
      },
      transformIgnorePatterns: [],
    };
    const jest = join(ROOT, 'node_modules/jest/bin/jest.js');
    const flags = ['--experimental-vm-modules', '--no-warnings'];
    const { stderr } = await execa(
      process.execPath,
      [...flags, jest, '--runInBand', '--config', JSON.stringify(config)],
      { cwd: folder, all: true, reject: false },
    );
    expect(stderr).toContain('Tests:       2 passed, 2 total');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
