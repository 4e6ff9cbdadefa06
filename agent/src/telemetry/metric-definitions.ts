// SPDX-License-Identifier: Apache-2.0

// The metrics that workers publish: pure data, read by the publisher, by the CDK constructs and by the documentation.

/** One CloudWatch metric. */
export interface MetricDefinition {
  /** CloudWatch's unit; CloudWatch has none for money. */
  readonly unit: 'Count' | 'Milliseconds' | 'None' | 'Percent' | 'Seconds';
  /** How its values add up to something meaningful, as CloudWatch calls it. */
  readonly statistic: 'Average' | 'Maximum' | 'Sum' | 'p90' | 'p95';
  /** What it measures: one sentence. */
  readonly description: string;
  /** Dimension beside `service`; the metric is published with and without it. */
  readonly dimension?: 'kind' | 'lane' | 'reason';
}

/** Published as they happen; each value is one sample. */
export const COUNTERS = {
  CallsAccepted: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Calls that a task accepted.',
  },
  CallsRejected: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Calls that a task rejected; LiveKit offers them to another task.',
    dimension: 'reason',
  },
  CallsRedispatched: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Callers without an agent for whom a task was found after all: nobody had room for them, or their agent was lost.',
  },
  TimeToAnswer: {
    unit: 'Milliseconds',
    statistic: 'p95',
    description:
      "From a caller's joining to the first sound of the agent, by the clocks of LiveKit and of the task.",
  },
  TimeWaited: {
    unit: 'Milliseconds',
    statistic: 'p95',
    description:
      "Of callers of the waiting line whom an agent took over: from the caller's joining until then.",
  },
  TimeWaitedForStream: {
    unit: 'Milliseconds',
    statistic: 'p95',
    description:
      'Of calls without a Bedrock stream because every lane was full: how long, until one opened or the call ended.',
  },
  CallersGaveUp: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Callers who hung up while they waited in the line.',
  },
  CallersTurnedAway: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Callers who were told that nobody can answer, because the waiting line was full as well.',
  },
  CallDuration: {
    unit: 'Seconds',
    statistic: 'Sum',
    description: 'Length of each call, once it has ended, also of one whose process died.',
  },
  SyntheticCallsAnswered: {
    unit: 'Count',
    statistic: 'Average',
    description: '1 for each synthetic call that the agent answered, 0 for one that it did not.',
  },
  SyntheticCallReplyTime: {
    unit: 'Milliseconds',
    statistic: 'p90',
    description:
      'From the end of the question of a synthetic call to the first sound of the reply, as the caller hears it.',
  },
  Turns: { unit: 'Count', statistic: 'Sum', description: 'Replies of the model.' },
  TimeToFirstAudio: {
    unit: 'Milliseconds',
    statistic: 'p90',
    description: "From the end of the caller's speech to the first audio of the reply.",
  },
  InterruptionLatency: {
    unit: 'Milliseconds',
    statistic: 'p90',
    description: "From the caller's interruption until the agent is silent.",
  },
  StreamRenewals: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Bedrock streams that were replaced by a new one, which is normal.',
  },
  StreamErrors: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Bedrock streams that failed.',
    dimension: 'kind',
  },
  Throttles: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Bedrock streams that were rejected because of the stream quota.',
    dimension: 'lane',
  },
  CallsWithoutRegion: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Calls that ended because Bedrock throttled them in every lane that they tried.',
  },
  Failovers: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Streams that were opened after another one had failed, most in another lane.',
  },
  ProtectionFailures: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Requests for task protection that ECS did not grant. Calls are accepted all the same.',
  },
  CallsUnprotected: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Calls that were accepted while no confirmed protection lasted as long as the longest call.',
  },
  DeploymentReadFailures: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Requests to the ECS API about the deployments of the service that failed. The task goes on taking calls.',
  },
  InputSpeechTokens: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Input speech tokens that Bedrock counted.',
  },
  OutputSpeechTokens: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Output speech tokens that Bedrock counted.',
  },
  InputTextTokens: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Input text tokens that Bedrock counted.',
  },
  OutputTextTokens: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Output text tokens that Bedrock counted.',
  },
  EstimatedCostUsd: {
    unit: 'None',
    statistic: 'Sum',
    description: 'Cost of these tokens in US dollars, at the configured prices.',
    dimension: 'lane',
  },
  ToolDuration: {
    unit: 'Milliseconds',
    statistic: 'p90',
    description: 'Time that a tool call took.',
  },
  ToolErrors: { unit: 'Count', statistic: 'Sum', description: 'Tool calls that failed.' },
  JobCrashes: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Calls whose process crashed or was killed, also by the worker; and processes without a call that ended so.',
  },
  CallsResumed: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Calls that another process took up after theirs had died, with what had been said. A call that loses a second process is then ended.',
  },
} as const satisfies Record<string, MetricDefinition>;

/** Published at an interval, zeros included. */
export const GAUGES = {
  ActiveCalls: {
    unit: 'Count',
    statistic: 'Average',
    description: 'Calls of a task. The average is per task: multiply by the number of tasks.',
  },
  SlotUtilization: {
    unit: 'Percent',
    statistic: 'Average',
    description: "Percentage of a task's call slots in use. Draining tasks do not publish it.",
  },
  CallDemand: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'Call slots that callers need: calls, callers who wait, or what the CPU in use amounts to. Read it over CallCapacity; a sum counts each task as often as it published.',
  },
  ExpectedCallDemand: {
    unit: 'Count',
    statistic: 'Sum',
    description:
      'CallDemand and its growth until a task that is started now takes calls, 90 s later.',
  },
  CallCapacity: {
    unit: 'Count',
    statistic: 'Sum',
    description: 'Call slots of tasks that are registered with LiveKit and take calls, else 0.',
  },
  ActiveStreams: {
    unit: 'Count',
    statistic: 'Average',
    description:
      'Bedrock streams of a task. The average is per task: multiply by the number of tasks.',
    dimension: 'lane',
  },
  CallersUnanswered: {
    unit: 'Count',
    statistic: 'Maximum',
    description:
      'Callers of the whole service who have had no agent for 2 s or more. The task that watches publishes it, the others publish 0.',
  },
  CallersWaiting: {
    unit: 'Count',
    statistic: 'Maximum',
    description:
      'Callers of the whole service who wait in the line, with words and music. The task that watches publishes it, the others publish 0.',
  },
  WorkersRegistered: {
    unit: 'Count',
    statistic: 'Maximum',
    description: '1 while a task is registered with LiveKit, else 0.',
  },
  UnprotectedCalls: {
    unit: 'Count',
    statistic: 'Maximum',
    description: 'Calls of a task whose protection ECS has not confirmed: a scale-in may end them.',
  },
  SupersededCalls: {
    unit: 'Count',
    statistic: 'Maximum',
    description: 'Calls of a task that a newer deployment has superseded: it takes no new ones.',
  },
  OverdueCalls: {
    unit: 'Count',
    statistic: 'Maximum',
    description: 'Calls of a task that was superseded longer ago than the longest call may last.',
  },
} as const satisfies Record<string, MetricDefinition>;

export type Counter = keyof typeof COUNTERS;
export type Gauge = keyof typeof GAUGES;

/** All metrics by name. */
export const METRICS: Readonly<Record<Counter | Gauge, MetricDefinition>> = {
  ...COUNTERS,
  ...GAUGES,
};
