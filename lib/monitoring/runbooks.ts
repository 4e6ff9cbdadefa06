// SPDX-License-Identifier: Apache-2.0

// What each alarm means and what to do first: for the description of the alarm and for the documentation.

import type { ResolvedThresholds } from './alarm-thresholds.js';

/** `critical`: callers get no answer, or calls end. `warning`: they will, or calls are worse than they should be. */
export type AlarmSeverity = 'critical' | 'warning';

/** Concurrent Bedrock streams. */
interface StreamQuota {
  /** Of one Region. */
  readonly perRegion: number;
  /** Of all lanes together, when there are several accounts. */
  readonly ofLanes?: number;
}

/** An alarm in words. */
export interface Runbook {
  readonly severity: AlarmSeverity;
  /** When it goes off, without a period. `quota` is left out in the documentation. */
  readonly condition: (thresholds: ResolvedThresholds, quota?: StreamQuota) => string;
  /** What to do first; the rest of the sentence after the condition and a colon. */
  readonly firstAction: string;
}

const times = (count: number, one: string, many: string) =>
  count === 1 ? `Any ${one}` : `${count} ${many}`;

const days = (burnRate: number) => `${Number((30 / burnRate).toPrecision(2))} days`;

/** By the construct ID of the alarm, in the order of urgency. */
export const RUNBOOKS = {
  NoTaskRunning: {
    severity: 'critical',
    condition: () => 'No task has run for 3 minutes, so no call is answered',
    firstAction:
      'read the service events in the ECS console and the task crash log; after a deployment, a missing secret or image is the usual reason.',
  },
  NoTaskRegistered: {
    severity: 'critical',
    condition: () =>
      'Tasks run, but none has been registered with LiveKit for 3 minutes, so no new call is answered',
    firstAction:
      'check that the LiveKit server is up and that the secret has its address and keys; after changing the secret, start new tasks.',
  },
  SyntheticCallsFailing: {
    severity: 'critical',
    condition: () => 'Two synthetic calls in a row got no answer, or were not made',
    firstAction:
      'read "synthetic call not answered" in the log for the reason, and call the agent yourself (npm run playground).',
  },
  CrashLoop: {
    severity: 'critical',
    condition: ({ taskCrashes }) =>
      `${times(taskCrashes, 'task', 'tasks')} stopped unexpectedly within 15 minutes`,
    firstAction:
      'read stoppedReason and exitCode in the task crash log; after a deployment, roll back to the last good commit.',
  },
  MetricsMissing: {
    severity: 'warning',
    condition: () =>
      'Tasks have published no metrics for 5 minutes, so scaling does not see the load',
    firstAction:
      'if tasks run, check whether their log still receives lines (permissions on the log group, log driver), then restart them.',
  },
  CallersUnanswered: {
    severity: 'critical',
    condition: () => 'For 3 minutes there have been callers without an agent',
    firstAction:
      'compare Slot utilization on the dashboard: with free slots, search the log for "caller without an agent" and for what failed before it; without, raise MinTasks or MaxTasks.',
  },
  CallersTurnedAway: {
    severity: 'critical',
    condition: ({ callersTurnedAway }) =>
      `${times(callersTurnedAway, 'caller', 'callers')} turned away within 5 minutes, because the waiting line was full as well`,
    firstAction:
      'raise MinTasks or MaxTasks within the stream quota; WAITING_LINE_CALLERS lets more callers wait.',
  },
  CallsRejected: {
    severity: 'critical',
    condition: ({ callsRejected }) =>
      `${times(callsRejected, 'call', 'calls')} rejected within 5 minutes`,
    firstAction:
      'see "Calls rejected by reason" on the dashboard; "full" needs more MinTasks or a lower TargetSlotUtilization, "draining", "superseded" and "surplus" are normal during a deployment or a scale-in.',
  },
  SlotUtilizationHigh: {
    severity: 'warning',
    condition: ({ slotUtilizationPercent }) =>
      `Slot utilization has been at ${slotUtilizationPercent} percent or more for 5 minutes, and no new task has helped`,
    firstAction:
      'if the service runs its maximum of tasks, raise it (cdk deploy --parameters MaxTasks=..., or maxTasks of the schedule) within the stream quota; otherwise read the service events in the ECS console.',
  },
  TasksAtMaximum: {
    severity: 'warning',
    condition: () =>
      'The service has run MaxTasks tasks for 10 minutes, and calls use more of them than it aims for',
    firstAction:
      'raise MaxTasks (cdk deploy --parameters MaxTasks=...) within the stream quota, before callers are refused.',
  },
  StreamQuotaUtilizationHigh: {
    severity: 'warning',
    condition: ({ streamQuotaPercent }, quota) =>
      quota?.ofLanes
        ? `Calls have used ${streamQuotaPercent} percent or more of the ${quota.ofLanes} Bedrock streams of all lanes for 2 minutes`
        : `In each Region calls have used ${streamQuotaPercent} percent or more of the ${quota?.perRegion ?? ''} Bedrock streams for 2 minutes`,
    firstAction:
      'add a Region to bedrockRegions, or an account to lanes, and deploy, before calls fail.',
  },
  Throttles: {
    severity: 'critical',
    condition: ({ throttles }) =>
      `${times(throttles, 'call', 'calls')} ended within 5 minutes because Bedrock throttled it in every Region`,
    firstAction:
      'add a Region to bedrockRegions, or an account to lanes, or ask AWS for a higher quota.',
  },
  StreamErrors: {
    severity: 'critical',
    condition: ({ streamErrors }) =>
      `${times(streamErrors, 'Bedrock stream', 'Bedrock streams')} failed within 5 minutes`,
    firstAction:
      'run the saved query "errors by kind"; access errors mean model access or IAM, validation errors mean a prompt, tool or voice in assistant.ts.',
  },
  JobCrashes: {
    severity: 'critical',
    condition: () => 'A process died, which interrupted its calls',
    firstAction:
      'search the log for "job" errors of that minute; if it ran out of memory, use fewer calls per task or more memory.',
  },
  TimeToAnswerHigh: {
    severity: 'warning',
    condition: ({ timeToAnswerP95Ms }) =>
      `For 15 minutes one caller in twenty has waited longer than ${timeToAnswerP95Ms} ms for the first sound of the agent`,
    firstAction:
      'compare "Callers without an agent" on the dashboard (callers wait for a slot: raise MinTasks) with CPU (near 100 percent: fewer calls per task).',
  },
  ReplyLatencyHigh: {
    severity: 'warning',
    condition: ({ timeToFirstAudioP90Ms }) =>
      `For 15 minutes one reply in ten has taken longer than ${timeToFirstAudioP90Ms} ms to its first audio`,
    firstAction:
      'compare CPU on the dashboard (near 100 percent: fewer calls per task) with the saved query "slowest replies" (one Region only: put another first).',
  },
  AnswerBudgetBurning: {
    severity: 'warning',
    condition: ({ errorBudgetBurnRate }) =>
      `In the last hour so many callers waited too long for the first sound that the error budget of 30 days would be gone in ${days(errorBudgetBurnRate)}`,
    firstAction:
      'compare "Time to answer" with "Callers without an agent" on the dashboard (callers wait for a slot: raise MinTasks) and with CPU (near 100 percent: fewer calls per task).',
  },
  ReplyBudgetBurning: {
    severity: 'warning',
    condition: ({ errorBudgetBurnRate }) =>
      `In the last hour so many replies came too late that the error budget of 30 days would be gone in ${days(errorBudgetBurnRate)}`,
    firstAction:
      'compare "Time to first audio of a reply" on the dashboard with CPU and with "Tool duration" (a slow tool), and read the trace of a slow call.',
  },
  ProtectionFailures: {
    severity: 'warning',
    condition: () =>
      'ECS has not granted task protection for 10 minutes, so a scale-in may end calls',
    firstAction:
      'during a deployment, wait a few minutes; otherwise check the role for ecs:UpdateTaskProtection and the AWS Health Dashboard.',
  },
  UnprotectedCalls: {
    severity: 'warning',
    condition: () =>
      'For 30 minutes a task has had calls without confirmed task protection, so a scale-in may end them',
    firstAction:
      'leave MinTasks and the schedule as they are until it is over; read "ECS did not confirm the task protection" in the log for the reason.',
  },
  OverdueCalls: {
    severity: 'warning',
    condition: () =>
      'A superseded task still has calls, although it got its last one longer ago than the longest call',
    firstAction:
      'search the log of that task for its calls; what hangs holds up the deployment, so stop the task if nobody speaks.',
  },
} as const satisfies Record<string, Runbook>;

export type AlarmName = keyof typeof RUNBOOKS;

/** Where the documentation describes an alarm, from the root of the repository. */
export const runbookPath = (alarm: AlarmName): string =>
  `docs/operations/runbooks.md#${alarm.toLowerCase()}`;
