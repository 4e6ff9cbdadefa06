// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { flat, resources, templateWith } from '../synth.js';
import { type AlarmResource, goesOff, type Series } from './alarm-state.js';

const template = templateWith({ bedrockRegions: 'us-east-1,us-west-2' });
const PARAMETERS: Record<string, string> = {
  '<MaxTasks>': '4',
  '<TargetSlotUtilization>': '45',
};

/** The alarm, with values in place of its parameters. */
function alarm(name: string): AlarmResource {
  const [found] = resources(template, 'AWS::CloudWatch::Alarm').filter(([id]) =>
    id.startsWith(`MonitoringAlarms${name}`),
  );
  if (!found) throw new Error(`No alarm ${name}.`);
  const properties = structuredClone(found[1].Properties) as unknown as AlarmResource;
  for (const query of properties.Metrics ?? []) {
    if (!query.Expression) continue;
    query.Expression = flat(query.Expression).replace(/<\w+>/g, (one) => PARAMETERS[one] ?? one);
  }
  return properties;
}

const of = (value: number | undefined, periods: number): Series => Array(periods).fill(value);
const after = (quiet: number, then: number, periods: number): Series => [
  ...of(quiet, 5),
  ...of(then, periods),
];

type Case = [alarm: string, what: string, series: Record<string, Series>];

/** What must set each alarm off. */
const MUST: Case[] = [
  ['SlotUtilizationHigh', 'full for five minutes', { SlotUtilization: after(50, 92, 5) }],
  ['CallersUnanswered', 'callers who stay without an agent', { CallersUnanswered: [0, 3, 2, 4] }],
  ['TimeToAnswerHigh', 'slow answers for a quarter of an hour', { TimeToAnswer: of(6100, 3) }],
  ['CallersTurnedAway', 'a caller who could not even wait', { CallersTurnedAway: [0, 1] }],
  ['CallsRejected', 'five rejections', { CallsRejected: [0, 5] }],
  [
    'TasksAtMaximum',
    'all tasks that are allowed, and more calls than they are meant for',
    {
      CPUUtilization: after(3, 4, 10),
      CallDemand: after(100, 280, 10),
      CallCapacity: after(300, 400, 10),
    },
  ],
  [
    'StreamQuotaUtilizationHigh',
    'both Regions fill up',
    {
      CPUUtilization: of(4, 3),
      'ActiveStreams us-east-1': of(5, 3),
      'ActiveStreams us-west-2': [1, 4, 4],
    },
  ],
  ['ReplyLatencyHigh', 'slow replies for a quarter of an hour', { TimeToFirstAudio: of(2600, 3) }],
  ['StreamErrors', 'five errors', { StreamErrors: [1, 5] }],
  ['Throttles', 'a call that found no Region', { CallsWithoutRegion: [undefined, 1] }],
  ['JobCrashes', 'a crash', { JobCrashes: [undefined, 1] }],
  ['NoTaskRunning', 'no task, no metric', { CPUUtilization: [1, undefined, undefined, undefined] }],
  ['NoTaskRegistered', 'nobody registered', { WorkersRegistered: [1, 0, 0, 0] }],
  ['MetricsMissing', 'silence', { SlotUtilization: [1, ...of(undefined, 5)] }],
  ['ProtectionFailures', 'refused for ten minutes', { ProtectionFailures: [0, 1, 1] }],
  ['UnprotectedCalls', 'calls without protection', { UnprotectedCalls: after(0, 3, 30) }],
  ['OverdueCalls', 'a call that does not end', { OverdueCalls: [0, 1, 1] }],
  ['CrashLoop', 'three crashes', { TriggeredRules: [0, 3] }],
];

/** What must not. */
const MUST_NOT: Case[] = [
  [
    'SlotUtilizationHigh',
    'full until new tasks are there',
    { SlotUtilization: [...after(50, 95, 4), 60] },
  ],
  ['CallersUnanswered', 'a burst until new tasks are there', { CallersUnanswered: [0, 9, 5, 0] }],
  ['TimeToAnswerHigh', 'slow answers for ten minutes', { TimeToAnswer: [6100, 6100, 2000] }],
  ['CallersTurnedAway', 'everybody has a place in the line', { CallersTurnedAway: of(0, 5) }],
  ['CallsRejected', 'a rejection now and then', { CallsRejected: of(4, 20) }],
  [
    'TasksAtMaximum',
    'all tasks that are allowed, with room',
    { CPUUtilization: of(4, 30), CallDemand: of(170, 30), CallCapacity: of(400, 30) },
  ],
  [
    'TasksAtMaximum',
    'a deployment runs twice the tasks',
    {
      CPUUtilization: of(4, 30),
      CallDemand: of(90, 30),
      CallCapacity: [...of(400, 5), ...of(200, 25)],
    },
  ],
  [
    'TasksAtMaximum',
    'many calls while tasks may still be added',
    { CPUUtilization: of(3, 30), CallDemand: of(250, 30), CallCapacity: of(300, 30) },
  ],
  [
    'StreamQuotaUtilizationHigh',
    'the first Region is full and the second has room, all day',
    {
      CPUUtilization: of(4, 600),
      'ActiveStreams us-east-1': of(5, 600),
      'ActiveStreams us-west-2': of(2, 600),
    },
  ],
  ['ReplyLatencyHigh', 'slow replies for ten minutes', { TimeToFirstAudio: [2600, 2600, 900] }],
  ['StreamErrors', 'an error now and then', { StreamErrors: of(4, 20) }],
  // Throttles of the first Region, all day: the alarm does not read them.
  ['Throttles', 'calls that move to the next Region', { CallsWithoutRegion: of(undefined, 100) }],
  ['JobCrashes', 'no crash', { JobCrashes: of(0, 20) }],
  ['NoTaskRunning', 'a metric that is late', { CPUUtilization: [1, undefined, undefined, 1] }],
  ['NoTaskRegistered', 'a reconnection', { WorkersRegistered: [1, 0, 0, 1] }],
  ['MetricsMissing', 'a gap', { SlotUtilization: [1, ...of(undefined, 4), 1] }],
  ['ProtectionFailures', 'refused once', { ProtectionFailures: [0, 1, 0] }],
  [
    'UnprotectedCalls',
    'a deployment with calls of a quarter of an hour',
    { UnprotectedCalls: [...of(8, 20), 0] },
  ],
  ['OverdueCalls', 'a goodbye', { OverdueCalls: [0, 1, 0] }],
  ['CrashLoop', 'two crashes', { TriggeredRules: of(2, 10) }],
];

describe('the series of metrics', () => {
  test.each(MUST)('%s goes off: %s', (name, _what, series) => {
    expect(goesOff(alarm(name), series)).toBe(true);
  });

  test.each(MUST_NOT)('%s stays silent: %s', (name, _what, series) => {
    expect(goesOff(alarm(name), series)).toBe(false);
  });

  test('exist for each alarm', () => {
    const names = resources(template, 'AWS::CloudWatch::Alarm')
      .filter(([id]) => id.startsWith('Monitoring'))
      .map(([id]) => id.replace(/^MonitoringAlarms|[0-9A-F]{8}$/g, ''))
      .sort();
    for (const cases of [MUST, MUST_NOT]) {
      expect([...new Set(cases.map(([name]) => name))].sort()).toEqual(names);
    }
  });
});
