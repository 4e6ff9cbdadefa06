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
  reporters: ['default', '<rootDir>/test/support/summary-reporter.js'],
  projects: [
    {
      ...common,
      displayName: 'unit',
      testMatch: ['<rootDir>/test/**/*.test.{ts,tsx}'],
      testPathIgnorePatterns: ['<rootDir>/test/e2e/', '<rootDir>/test/peers/'],
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
  ],
};
