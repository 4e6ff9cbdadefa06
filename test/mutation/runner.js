// SPDX-License-Identifier: Apache-2.0

// A test runner for StrykerJS. Jest loads every module again for each of thousands of faults, which takes a second; here
// tests and modules are loaded once, and a fault is switched on while the tests that reach it run again: milliseconds.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { INSTRUMENTER_CONSTANTS } from '@stryker-mutator/api/core';
import { declareClassPlugin, PluginKind } from '@stryker-mutator/api/plugin';
import {
  DryRunStatus,
  determineHitLimitReached,
  TestStatus,
  toMutantRunResult,
} from '@stryker-mutator/api/test-runner';
import { build } from 'esbuild';
import { globSync } from 'tinyglobby';
import { AREAS } from './areas.js';

const { MUTATION_AREAS = 'plugin,worker,emulator,lib', MUTATION_TESTS } = process.env;

/** A test that takes so much longer than without a fault waits for what does not come any more. */
const SLOWER = 10;
const PATIENCE_MS = 4_000;
/** Longest time of a test without a fault (ms). */
const FIRST_MS = 60_000;

class CollectedTestsRunner {
  #tests = [];
  /** How long each took without a fault (ms). */
  #usual = new Map();

  capabilities() {
    // Faults in what runs while modules are loaded are left out: `ignoreStatic`.
    return { reloadEnvironment: false };
  }

  async init() {
    process.env.NODE_ENV = 'test';
    // Enough for each fault that any of 600 shows.
    process.env.RANDOM_CONVERSATIONS ??= '40';
    process.env.SHRINK ??= 'no';
    const patterns =
      MUTATION_TESTS?.split(',') ?? MUTATION_AREAS.split(',').flatMap((area) => AREAS[area].tests);
    const files = globSync(patterns).sort();
    // Instrumented modules take hold of it when they are loaded.
    stryker().mutantCoverage = { static: {}, perTest: {} };
    const outdir = join(process.cwd(), '.cache/mutation-tests');
    await bundle([...files, 'test/mutation/globals.js'], outdir);
    const built = (file) => pathToFileURL(join(outdir, file.replace(/\.tsx?$/, '.js'))).href;
    const { collect, collected } = await import(built('test/mutation/globals.js'));
    for (const file of files) await collect(file, () => import(built(file)));
    const names = new Map();
    for (const one of collected) {
      const seen = names.get(one.name) ?? 0;
      names.set(one.name, seen + 1);
      this.#tests.push({ ...one, id: seen === 0 ? one.name : `${one.name} [${seen}]` });
    }
  }

  async dryRun() {
    const space = stryker();
    space.activeMutant = undefined;
    const tests = await this.#run(this.#tests, false);
    for (const { id, timeSpentMs } of tests) this.#usual.set(id, timeSpentMs);
    return { status: DryRunStatus.Complete, tests, mutantCoverage: space.mutantCoverage };
  }

  async mutantRun({ activeMutant, testFilter, hitLimit, disableBail }) {
    const space = stryker();
    space.activeMutant = activeMutant.id;
    space.hitCount = hitLimit ? 0 : undefined;
    space.hitLimit = hitLimit;
    const wanted = testFilter && new Set(testFilter);
    const chosen = this.#tests.filter(({ id }) => !wanted || wanted.has(id));
    // The quick ones first: most faults are seen by one of them.
    chosen.sort((a, b) => (this.#usual.get(a.id) ?? 0) - (this.#usual.get(b.id) ?? 0));
    const tests = await this.#run(chosen, !disableBail);
    space.activeMutant = undefined;
    const limit = determineHitLimitReached(space.hitCount, hitLimit);
    return toMutantRunResult(limit ?? { status: DryRunStatus.Complete, tests }, disableBail);
  }

  async #run(tests, bail) {
    const results = [];
    const entered = new Set();
    let failed = false;
    for (const test of tests) {
      const begun = performance.now();
      stryker().currentTestId = test.id;
      const failure = await this.#one(test, entered);
      const result = {
        id: test.id,
        name: test.name,
        fileName: join(process.cwd(), test.file),
        timeSpentMs: Math.round(performance.now() - begun),
      };
      if (failure === undefined) results.push({ ...result, status: TestStatus.Success });
      else results.push({ ...result, status: TestStatus.Failed, failureMessage: failure });
      failed ||= failure !== undefined;
      if (failed && bail) break;
    }
    for (const block of [...entered].reverse())
      for (const hook of block.afterAll) await settled(hook, PATIENCE_MS);
    stryker().currentTestId = undefined;
    return results;
  }

  /** Runs one test with its hooks. Returns why it failed. */
  async #one({ id, blocks, run }, entered) {
    const usual = this.#usual.get(id);
    const patienceMs = usual === undefined ? FIRST_MS : PATIENCE_MS + SLOWER * usual;
    let failure;
    const take = async (step) => {
      failure ??= await settled(step, patienceMs);
    };
    for (const block of blocks)
      if (!entered.has(block)) {
        entered.add(block);
        for (const hook of block.beforeAll) await take(hook);
      }
    for (const hook of blocks.flatMap(({ beforeEach }) => beforeEach)) await take(hook);
    if (failure === undefined) await take(run);
    for (const block of [...blocks].reverse())
      for (const hook of block.afterEach) {
        const after = await settled(hook, patienceMs);
        failure ??= after;
      }
    return failure;
  }
}

/** What the instrumented code reads and writes. */
const stryker = () => {
  globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE] ??= {};
  return globalThis[INSTRUMENTER_CONSTANTS.NAMESPACE];
};

/** Runs a step. Returns why it failed, also when it does not end. */
async function settled(step, patienceMs) {
  let timer;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, patienceMs, 'it did not end');
  });
  let stray;
  const onStray = (error) => {
    stray = error;
  };
  process.on('uncaughtException', onStray);
  process.on('unhandledRejection', onStray);
  try {
    const done = (async () => {
      await step();
    })();
    const why = await Promise.race([done, late]);
    return why ?? (stray && String(stray.stack ?? stray));
  } catch (error) {
    return String(error?.message ?? error) || 'it failed';
  } finally {
    clearTimeout(timer);
    process.off('uncaughtException', onStray);
    process.off('unhandledRejection', onStray);
  }
}

/** Tests with what they import of this repository; packages are loaded as they are. */
function bundle(entryPoints, outdir) {
  const path = (file) => join(process.cwd(), file);
  return build({
    entryPoints,
    outdir,
    // The process has another folder when esbuild is loaded.
    absWorkingDir: process.cwd(),
    outbase: process.cwd(),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    jsx: 'automatic',
    logLevel: 'error',
    alias: {
      '@jest/globals': path('test/mutation/globals.js'),
      'livekit-plugin-nova-sonic': path('packages/livekit-plugin-nova-sonic/src/index.ts'),
      'livekit-plugin-nova-sonic/models': path(
        'packages/livekit-plugin-nova-sonic/src/protocol/models.ts',
      ),
      'nova-sonic-emulator': path('packages/nova-sonic-emulator/src/index.ts'),
      'nova-sonic-emulator/speech': path(
        'packages/nova-sonic-emulator/src/speech/speech-synthesizer.ts',
      ),
    },
    plugins: [ownAddress],
  });
}

/** A bundled module still knows where its source is. */
const ownAddress = {
  name: 'own-address',
  setup(api) {
    api.onResolve({ filter: /\?url$/ }, () => ({
      path: join(process.cwd(), 'test/support/asset-url.js'),
    }));
    api.onLoad({ filter: /\.tsx?$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8');
      const url = JSON.stringify(pathToFileURL(path).href);
      return {
        contents: source.replaceAll('import.meta.url', url),
        loader: path.endsWith('x') ? 'tsx' : 'ts',
      };
    });
  },
};

export const strykerPlugins = [
  declareClassPlugin(PluginKind.TestRunner, 'collected', CollectedTestsRunner),
];
