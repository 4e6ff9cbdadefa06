// Jest in ESM mode: one copy of @livekit/agents (two copies, ESM and CommonJS, hang silently).

const swc = (tsx) => ({
  jsc: {
    parser: { syntax: 'typescript', tsx, decorators: false },
    target: 'es2022',
    ...(tsx && { transform: { react: { runtime: 'automatic' } } }),
  },
  module: { type: 'es6' },
});

const common = {
  testEnvironment: 'node',
  // By default what a test file has put into globals is "deleted" softly: a later assignment to it never returns
  // (jest-util 30.5.2, deleteProperty), and shared packages would be taken apart.
  testEnvironmentOptions: { globalsCleanup: 'off' },
  extensionsToTreatAsEsm: ['.ts', '.tsx'],
  transform: {
    '^.+\\.ts$': ['<rootDir>/test/support/transform.js', swc(false)],
    '^.+\\.tsx$': ['<rootDir>/test/support/transform.js', swc(true)],
  },
  moduleNameMapper: {
    '^@livekit/agents$': '<rootDir>/node_modules/@livekit/agents/dist/bundle/index.js',
    '^livekit-plugin-nova-sonic$': '<rootDir>/packages/livekit-plugin-nova-sonic/src/index.ts',
    '^livekit-plugin-nova-sonic/models$':
      '<rootDir>/packages/livekit-plugin-nova-sonic/src/protocol/models.ts',
    '^nova-sonic-emulator$': '<rootDir>/packages/nova-sonic-emulator/src/index.ts',
    '^nova-sonic-emulator/speech$':
      '<rootDir>/packages/nova-sonic-emulator/src/speech/speech-synthesizer.ts',
    // Jest leaves the query of './call-recorder-worklet.js?url' out.
    '^\\./call-recorder-worklet\\.js$': '<rootDir>/test/support/asset-url.js',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  modulePathIgnorePatterns: ['<rootDir>/.*/dist/', '<rootDir>/cdk.out/', '<rootDir>/.cache/'],
};

/**
 * Packages that a worker of Jest loads once for all its test files, instead of each of them anew: that was two fifths of
 * what the unit tests cost. Not those that use what tests put into globals, as React and livekit-client.
 */
const SHARED = {
  module: [
    ...['@livekit/agents', '@livekit/rtc-node', '@livekit/protocol', 'livekit-server-sdk'],
    ...['zod', 'fast-check', 'execa'],
  ],
  commonjs: [
    ...['aws-cdk-lib', 'constructs', 'cdk-nag', '@aws-sdk/[^/]+', '@smithy/[^/]+', 'ajv', 'yaml'],
    ...['@opentelemetry/[^/]+', '@livekit/local-inference', 'esbuild'],
  ],
};
const shared = (type) => ({
  [`/node_modules/(?:${SHARED[type].join('|')})/`]: [
    '<rootDir>/test/support/shared-packages.js',
    { type },
  ],
});
const unit = {
  ...common,
  testEnvironment: '<rootDir>/test/support/environment.js',
  transform: { ...shared('module'), ...shared('commonjs'), ...common.transform },
  transformIgnorePatterns: [
    `/node_modules/(?!(?:${[...SHARED.module, ...SHARED.commonjs].join('|')})/)`,
  ],
};

const endToEnd = {
  ...common,
  globalSetup: '<rootDir>/test/e2e/global-setup.js',
  setupFiles: ['<rootDir>/test/e2e/silence-warnings.js'],
};

/** Their calls come in bursts and want the whole machine: `npm run test:fleet` runs them one file after the other. */
const FLEETS = '<rootDir>/test/e2e/fleet-';

/** @type {import('jest').Config} */
export default {
  // rtc-node's native client keeps the event loop alive after the last test.
  forceExit: true,
  // Unit tests get little of a machine on which calls talk: npm test.
  testTimeout: 120_000,
  // Jest and ES modules keep what a test file has loaded.
  workerIdleMemoryLimit: '1.5GB',
  testSequencer: '<rootDir>/test/support/sequencer.js',
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
  projects: [
    {
      ...unit,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.{ts,tsx}'],
      testPathIgnorePatterns: [
        '<rootDir>/test/e2e/',
        '<rootDir>/test/peers/',
        '<rootDir>/test/sip/',
      ],
    },
    {
      ...endToEnd,
      displayName: 'e2e',
      testMatch: ['<rootDir>/test/e2e/**/*.test.ts'],
      testPathIgnorePatterns: [FLEETS],
    },
    {
      ...endToEnd,
      displayName: 'fleet',
      testMatch: [`${FLEETS}*.test.ts`],
      // Two minutes for what the unit tests of the lanes and fleet-failures show, too: `npm run test:lanes`.
      testPathIgnorePatterns: process.env.LANES ? [] : [`${FLEETS}lanes`],
    },
    { ...common, displayName: 'peers', testMatch: ['<rootDir>/test/peers/**/*.test.ts'] },
    { ...endToEnd, displayName: 'sip', testMatch: ['<rootDir>/test/sip/**/*.test.ts'] },
  ],
};
