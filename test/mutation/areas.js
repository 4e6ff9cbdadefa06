// SPDX-License-Identifier: Apache-2.0

// Modules whose clock and peers are passed in, and the tests that must notice a fault in them: none has a socket.

const PLUGIN = 'packages/livekit-plugin-nova-sonic';
const EMULATOR = 'packages/nova-sonic-emulator';
/** These play conversations for many seconds, too long for each of thousands of faults. */
const LONG = 'noisy-calls|simulated-conversations|typing-over';
/** These have a service of their own behind a socket. */
const SOCKETS =
  'closing|sonic-stream|agent-tasks|chat-context-updates|generate-reply|members|mid-call-updates|audio-during-tool|realtime-session|*-over-network';

/** Folders of the plugin and which of their modules are mutated. */
const FOLDERS = {
  audio: '*',
  history: '*',
  turns: '*',
  tools: '*',
  protocol: '*',
  continuation: '*',
  stream: '{bedrock-client,sonic-stream,stream-factory,stream-session}',
  session:
    '{effect-handler,generation-channels,reply-futures,response-metrics,session-family,session-host,session-settings}',
};

/** `plugin-audio` and so on: one folder of the plugin, with its own tests only. */
const folders = Object.fromEntries(
  Object.entries(FOLDERS).map(([folder, modules]) => [
    `plugin-${folder}`,
    {
      mutate: [`${PLUGIN}/src/${folder}/${modules}.ts`],
      tests: [`test/${PLUGIN}/${folder}/!(${LONG}|${SOCKETS}).test.ts`],
    },
  ]),
);

/** @type {Record<string, { mutate: string[]; tests: string[] }>} */
export const AREAS = {
  ...folders,
  plugin: {
    mutate: Object.values(folders).flatMap(({ mutate }) => mutate),
    tests: Object.values(folders).flatMap(({ tests }) => tests),
  },
  worker: {
    mutate: [
      'agent/src/worker/{call-slots,job-admission,drain,load,call-demand,worker-health,service-standing}.ts',
      'agent/src/ecs/{task-protection,deployment-standing,deployment-watch}.ts',
      'agent/src/supervision/{call-record,call-supervisor,lane-cooldowns,lane-queue,lost-calls}.ts',
      'agent/src/line/{agent-arrival,attendants,line-program,waiting-line}.ts',
      'agent/src/watcher/{line-turn,request-budget,second-agent,withdraw-dispatches}.ts',
      'agent/src/lanes/{lane-list,lane-wait,lanes-of-call}.ts',
      'agent/src/call/{caller-choice,idle-caller,mix-audio,read-call-event}.ts',
      'agent/src/job/{call-metrics,end-of-call,tenant}.ts',
      'agent/src/phone/{keypad,phone-attributes}.ts',
      'agent/src/tracing/{call-span,call-trace,span-content}.ts',
      'agent/src/telemetry/redaction.ts',
    ],
    tests: [
      'test/agent/worker/{admission-properties,call-demand,call-slots,drain,job-admission,load,service-standing,worker-health}.test.ts',
      'test/agent/ecs/{deployment-standing,deployment-watch,task-protection}.test.ts',
      'test/agent/supervision/{call-record,call-supervisor,lane-cooldowns,lane-queue,ledger-properties,lost-calls,shared-processes}.test.ts',
      'test/agent/line/{agent-arrival,attendants,line-program,waiting-line}.test.ts',
      'test/agent/watcher/{line-turn,request-budget,second-agent,withdraw-dispatches}.test.ts',
      'test/agent/lanes/{lane-wait,lanes-of-call}.test.ts',
      'test/agent/call/{caller-choice,idle-caller,mix-audio,read-call-event}.test.ts',
      'test/agent/job/{call-metrics,end-of-call,tenant}.test.ts',
      'test/agent/phone/{keypad,phone-attributes}.test.ts',
      'test/agent/tracing/{call-trace,span-content}.test.ts',
      'test/agent/telemetry/redaction.test.ts',
    ],
  },
  emulator: {
    mutate: [
      `${EMULATOR}/src/protocol/{check-form,check-prompt,input-validator,read-events,rule-settings,text-order}.ts`,
      `${EMULATOR}/src/{event-log,faults,random}.ts`,
      `${EMULATOR}/src/dialogue/{dialogue,output-events,playback,reply,usage}.ts`,
      `${EMULATOR}/src/network/*.ts`,
      `${EMULATOR}/src/session/{session-limits,stream-transport,user-input}.ts`,
      `${EMULATOR}/src/speech/{foreground-voice,speech-detector}.ts`,
    ],
    tests: [
      `test/${EMULATOR}/{protocol,dialogue}/*.test.ts`,
      `test/${EMULATOR}/network/!(network).test.ts`,
      `test/${EMULATOR}/session/{session-limits,stream-transport,user-input}.test.ts`,
      `test/${EMULATOR}/speech/{foreground-voice,speech-detector}.test.ts`,
      `test/${EMULATOR}/{event-log,faults,random}.test.ts`,
    ],
  },
  lib: {
    mutate: [
      'lib/settings/*.ts',
      'lib/scaling/cron.ts',
      'lib/access/{nova-sonic-lanes,nova-sonic-models}.ts',
      'lib/service/task-size.ts',
    ],
    tests: [
      'test/lib/settings/!(settings-effects|cloudformation-parameters).test.ts',
      'test/lib/scaling/cron.test.ts',
      'test/lib/access/{nova-sonic-lanes,nova-sonic-models}.test.ts',
      'test/lib/service/task-size.test.ts',
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
      `test/${EMULATOR}/network/network-conditions.test.ts`,
      'test/lib/scaling/cron.test.ts',
    ],
  },
};
