// SPDX-License-Identifier: Apache-2.0

// Modules without sockets, processes or timers of their own, and the tests that must notice a fault in them.

const PLUGIN = 'packages/livekit-plugin-nova-sonic';
const EMULATOR = 'packages/nova-sonic-emulator';
const ROOMS = '{audio,history,turns,tools,protocol,continuation}';

/** @type {Record<string, { mutate: string[]; tests: string[] }>} */
export const AREAS = {
  plugin: {
    mutate: [`${PLUGIN}/src/${ROOMS}/*.ts`],
    tests: [`test/${PLUGIN}/${ROOMS}/!(noisy-calls).test.ts`],
  },
  worker: {
    mutate: [
      'agent/src/worker/{call-slots,job-admission,drain,load,call-demand,worker-health}.ts',
      'agent/src/ecs/{task-protection,deployment-standing}.ts',
      'agent/src/supervision/{call-record,lane-cooldowns}.ts',
      'agent/src/telemetry/redaction.ts',
    ],
    tests: ['test/agent/{worker,ecs,supervision,telemetry}/*.test.ts'],
  },
  emulator: {
    mutate: [
      `${EMULATOR}/src/protocol/{check-form,check-prompt,input-validator,read-events,rule-settings,text-order}.ts`,
      `${EMULATOR}/src/{faults,random}.ts`,
      `${EMULATOR}/src/network/*.ts`,
    ],
    tests: [
      `test/${EMULATOR}/{protocol,network,dialogue}/*.test.ts`,
      `test/${EMULATOR}/faults.test.ts`,
    ],
  },
  lib: {
    mutate: ['lib/settings/*.ts', 'lib/scaling/cron.ts', 'lib/access/nova-sonic-models.ts'],
    tests: [
      'test/lib/settings/*.test.ts',
      'test/lib/scaling/cron.test.ts',
      'test/lib/access/nova-sonic-models.test.ts',
    ],
  },
  /** A few of each, for less than five minutes. */
  fast: {
    mutate: [
      `${PLUGIN}/src/audio/*.ts`,
      `${PLUGIN}/src/tools/{tool-call-tracker,tool-output}.ts`,
      'agent/src/worker/{call-slots,job-admission,worker-health}.ts',
      `${EMULATOR}/src/network/network-conditions.ts`,
      'lib/scaling/cron.ts',
    ],
    tests: [
      `test/${PLUGIN}/{audio,tools}/*.test.ts`,
      'test/agent/worker/{call-slots,job-admission,admission-properties,worker-health}.test.ts',
      `test/${EMULATOR}/network/network.test.ts`,
      'test/lib/scaling/cron.test.ts',
    ],
  },
};
