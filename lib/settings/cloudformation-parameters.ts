// SPDX-License-Identifier: Apache-2.0

import { COLLECTOR_MIB, maxCalls } from '../service/task-size.js';
import { RANGES } from '../service-limits.js';
import type { CHANGES, Settings } from './settings.js';

/** A CloudFormation parameter of the stack that is a number. The setting of the same name is its default. */
export interface Parameter {
  /** Its name in CloudFormation. */
  readonly id: string;
  readonly setting: 'minTasks' | 'maxTasks' | 'callsPerTask' | 'targetSlotUtilization';
  /** After a number, in the documentation. */
  readonly unit: string;
  /** What it is for; shown in the console and in the documentation. */
  readonly description: (settings: Settings) => string;
  readonly min: number;
  readonly max: (settings: Settings) => number;
  /** Where the maximum comes from, if not from a fixed limit. */
  readonly maxNote?: string;
  /** What a change does to a running service. */
  readonly change: keyof typeof CHANGES;
}

const parameter = (
  setting: Parameter['setting'],
  rest: Pick<Parameter, 'description' | 'change'> & Partial<Parameter>,
): Parameter => ({
  id: setting.charAt(0).toUpperCase() + setting.slice(1),
  setting,
  unit: '',
  min: RANGES[setting][0],
  max: () => RANGES[setting][1],
  ...rest,
});

/** MiB that a container beside the agent takes. */
export const memoryOfOthers = ({ traces }: Settings): number =>
  traces === 'xray' ? COLLECTOR_MIB : 0;

const memoryOfAgent = (settings: Settings): number => settings.memory - memoryOfOthers(settings);

const mostCalls = (settings: Settings): number =>
  Math.min(RANGES.callsPerTask[1], maxCalls(memoryOfAgent(settings), settings.callsPerProcess));

/** The parameters, which operators can change without a checkout of the source. */
export const PARAMETERS = {
  minTasks: parameter('minTasks', {
    description: () =>
      'Minimum number of tasks; they cost money when idle and take the first callers of a burst. Not above MaxTasks.',
    change: 'inPlace',
  }),
  maxTasks: parameter('maxTasks', {
    description: () =>
      'Maximum number of tasks; limits what a flood of calls can cost. MaxTasks x CallsPerTask should not exceed the Bedrock stream quota of all Regions.',
    change: 'inPlace',
  }),
  callsPerTask: parameter('callsPerTask', {
    description: (settings) =>
      `Call slots per task. At most ${mostCalls(settings)} fit into ${memoryOfAgent(settings)} MiB; people who talk all the time take about a seventh of a virtual CPU each.`,
    max: (settings) => mostCalls(settings),
    maxNote: 'what the memory holds',
    change: 'replacesTasks',
  }),
  targetSlotUtilization: parameter('targetSlotUtilization', {
    description: () =>
      'Percentage of call slots in use that scaling aims for. A lower value leaves more free slots for bursts and costs more.',
    unit: ' percent',
    change: 'inPlace',
  }),
} as const satisfies Record<Parameter['setting'], Parameter>;

/** The parameter with the ARN of the LiveKit secret. */
export const LIVEKIT_SECRET_ARN = {
  id: 'LiveKitSecretArn',
  description:
    'Complete ARN of the secret with the address and keys of LiveKit. When it is empty, the secret of the setting liveKitSecret is used.',
  allowedPattern:
    '^$|^arn:[a-z-]+:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+-[A-Za-z0-9]{6}$',
  /** After "Parameter LiveKitSecretArn failed to satisfy constraint:", in CloudFormation. */
  constraint:
    'the ARN of a secret ends in a hyphen and six characters, as "aws secretsmanager create-secret" prints it',
  change: 'replacesTasks',
} as const;
