// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import { flat, only, resources, templateWith } from '../synth.js';

interface Widget {
  type: string;
  width: number;
  height: number;
  // biome-ignore lint/suspicious/noExplicitAny: CloudWatch's JSON
  properties: any;
}

const body = (context = {}) =>
  JSON.parse(flat(only(templateWith(context), 'AWS::CloudWatch::Dashboard').DashboardBody));

const widget = (title: string, context = {}): Widget =>
  body(context).widgets.find(({ properties }: Widget) => properties.title === title);

/** A row of a graph as `[right] Metric[dimensions] statistic/period "label"`; what only an expression uses is left out. */
function rows(title: string, context = {}): string[] {
  return widget(title, context).properties.metrics.flatMap((row: unknown[]) => {
    const { visible, expression, label, stat, period, yAxis } = row.at(-1) as Record<
      string,
      string
    >;
    if ((visible as unknown) === false) return [];
    const [, name, ...dimensions] = row
      .slice(0, -1)
      .map((part) => String(part).replace(/<.*>/, ''));
    const shown = expression ?? `${name}[${dimensions}] ${stat ?? 'Average'}`;
    return `${yAxis ? `${yAxis} ` : ''}${shown}/${period ?? 'auto'} ${label ?? ''}`.trim();
  });
}

const OURS = '[service,voice-agent]';
const TASK = '[ClusterName,,ServiceName,]';
const percentiles = (name: string) =>
  ['p50', 'p90', 'p99'].map((p) => `${name}${OURS} ${p}/60 ${p}`);

describe('the dashboard', () => {
  test('answers its questions from the top down, over the last three hours', () => {
    const shown = body().widgets.map(({ type, width, height, properties }: Widget) =>
      type === 'text' ? properties.markdown : [properties.title, type, width, height],
    );
    expect(body().start).toBe('-PT3H');
    expect(shown).toEqual([
      '## Are calls answered?',
      ['Alarms', 'alarm', 9, 6],
      ['Now', 'metric', 6, 6],
      ['Calls accepted and rejected', 'metric', 9, 6],
      ['Callers without an agent', 'metric', 12, 6],
      ['Time to answer (ms)', 'metric', 12, 6],
      ['Waiting line', 'metric', 8, 6],
      ['Time in the waiting line until an agent (ms)', 'metric', 8, 6],
      ['Time without a Bedrock stream, every lane full (ms)', 'metric', 8, 6],
      '## How fast?',
      ['Time to first audio of a reply (ms)', 'metric', 12, 6],
      ['Interruption latency (ms)', 'metric', 6, 6],
      ['Tool duration (ms)', 'metric', 6, 6],
      '## How many?',
      ['Live calls', 'metric', 6, 6],
      ['Bedrock streams by Region', 'metric', 6, 6],
      ['Slot utilization (%)', 'metric', 6, 6],
      ['Tasks, CPU and memory', 'metric', 6, 6],
      '## What fails?',
      ['Streams', 'metric', 8, 6],
      ['Calls rejected by reason', 'metric', 8, 6],
      ['Tasks and tools', 'metric', 8, 6],
      ['Last errors', 'log', 24, 6],
      '## What does it cost?',
      ['Bedrock (USD per hour)', 'metric', 8, 6],
      ['Bedrock (USD per call minute)', 'metric', 8, 6],
      ['Tokens per hour', 'metric', 8, 6],
    ]);
  });

  test('fills each row of 24 columns, and no heading stands beside a graph', () => {
    const ends = new Map<number, number>();
    for (const { y, x, width } of body().widgets)
      ends.set(y, Math.max(ends.get(y) ?? 0, x + width));
    expect([...ends.values()]).toEqual([24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24, 24]);
  });

  test('shows the state of every alarm first', () => {
    const alarms = resources(templateWith(), 'AWS::CloudWatch::Alarm')
      .map(([id]) => id)
      .filter((id) => id.startsWith('Monitoring'));
    const shown: string[] = widget('Alarms').properties.alarms;
    expect([...shown].sort()).toEqual(alarms.map((id) => `<${id}.Arn>`).sort());
  });

  test.each<[string, string[]]>([
    [
      'Now',
      [
        'calls * tasks/60 Live calls',
        'running/60 Running tasks',
        `SlotUtilization${OURS} Average/60 Slot utilization (%)`,
      ],
    ],
    [
      'Calls accepted and rejected',
      [
        `CallsAccepted${OURS} Sum/60 accepted`,
        `CallsRejected${OURS} Sum/60 rejected (offered elsewhere)`,
      ],
    ],
    [
      'Callers without an agent',
      [
        `CallersUnanswered${OURS} Maximum/60 callers without an agent`,
        `CallsRedispatched${OURS} Sum/60 found an agent after all`,
      ],
    ],
    [
      'Waiting line',
      [
        `CallersWaiting${OURS} Maximum/60 callers who wait`,
        `CallersGaveUp${OURS} Sum/60 hung up while waiting`,
        `CallersTurnedAway${OURS} Sum/60 turned away: the line was full`,
      ],
    ],
    [
      'Time in the waiting line until an agent (ms)',
      [`TimeWaited${OURS} p50/60 p50`, `TimeWaited${OURS} p95/60 p95`],
    ],
    [
      'Time without a Bedrock stream, every lane full (ms)',
      [`TimeWaitedForStream${OURS} p50/60 p50`, `TimeWaitedForStream${OURS} p95/60 p95`],
    ],
    ['Time to answer (ms)', [`TimeToAnswer${OURS} p50/60 p50`, `TimeToAnswer${OURS} p95/60 p95`]],
    ['Time to first audio of a reply (ms)', percentiles('TimeToFirstAudio')],
    ['Interruption latency (ms)', percentiles('InterruptionLatency')],
    ['Tool duration (ms)', percentiles('ToolDuration')],
    ['Live calls', ['calls * tasks/60 calls']],
    [
      'Slot utilization (%)',
      [
        `SlotUtilization${OURS} Average/60 average of all tasks`,
        `SlotUtilization${OURS} Maximum/60 fullest task`,
        '100 * expected / capacity/60 expected in 90 s',
      ],
    ],
    ['Bedrock streams by Region', ['lane1 * tasks/60 us-east-1']],
    [
      'Tasks, CPU and memory',
      [
        `CPUUtilization${TASK} SampleCount/60 running tasks`,
        `right CPUUtilization${TASK} Average/auto CPU (%)`,
        `right MemoryUtilization${TASK} Average/auto memory (%)`,
      ],
    ],
    [
      'Streams',
      [
        `StreamErrors${OURS} Sum/60 errors`,
        `Failovers${OURS} Sum/60 failovers`,
        `StreamRenewals${OURS} Sum/60 renewals (normal)`,
        'Throttles[lane,us-east-1,service,voice-agent] Sum/60 throttles us-east-1',
      ],
    ],
    [
      'Calls rejected by reason',
      [
        `SEARCH('{NovaSonicAgent,service,reason} MetricName="CallsRejected" service="voice-agent"', 'Sum', 60)/60`,
      ],
    ],
    [
      'Tasks and tools',
      [
        `JobCrashes${OURS} Sum/60 job crashes`,
        `CallsResumed${OURS} Sum/60 calls resumed after one`,
        `ProtectionFailures${OURS} Sum/60 protection not granted`,
        `ToolErrors${OURS} Sum/60 tools failed`,
      ],
    ],
    ['Bedrock (USD per hour)', [`EstimatedCostUsd${OURS} Sum/3600 USD`]],
    ['Bedrock (USD per call minute)', ['60 * usd / seconds/3600 USD per call minute']],
    [
      'Tokens per hour',
      ['InputSpeech', 'OutputSpeech', 'InputText', 'OutputText'].map(
        (kind) => `${kind}Tokens${OURS} Sum/3600 ${kind}`,
      ),
    ],
  ])('shows in "%s" what it says', (title, expected) => {
    expect(rows(title)).toEqual(expected);
  });

  test.each<[string, Record<string, unknown>]>([
    ['Now', { calls: ['ActiveCalls', 60], tasks: ['CPUUtilization', 60, 'SampleCount'] }],
    ['Live calls', { calls: ['ActiveCalls', 60], tasks: ['CPUUtilization', 60, 'SampleCount'] }],
    [
      'Bedrock (USD per call minute)',
      { usd: ['EstimatedCostUsd', 3600, 'Sum'], seconds: ['CallDuration', 3600, 'Sum'] },
    ],
  ])('reckons "%s" from the right metrics', (title, expected) => {
    const used = Object.fromEntries(
      widget(title).properties.metrics.flatMap((row: unknown[]) => {
        const { id, period, stat } = row.at(-1) as Record<string, string>;
        return id ? [[id, [row[1], period, ...(stat ? [stat] : [])]]] : [];
      }),
    );
    expect(used).toMatchObject(expected);
  });

  test('starts every axis at 0, and ends that of CPU and memory at 100', () => {
    for (const { type, properties } of body().widgets as Widget[]) {
      if (type !== 'metric' || properties.view === 'singleValue') continue;
      expect(properties.yAxis).toEqual({
        left: { min: 0 },
        ...(properties.title === 'Tasks, CPU and memory' && { right: { min: 0, max: 100 } }),
      });
    }
  });

  test('shows each lane of several accounts: its streams, throttles and cost', () => {
    const role = 'arn:aws:iam::111122223333:role/lane';
    const lanes = { lanes: [{ region: 'us-east-1' }, { region: 'us-east-1', role, streams: 50 }] };
    const other = '111122223333/us-east-1';
    expect(rows('Bedrock streams by lane (% of its quota)', lanes)).toEqual([
      '100 * lane1 * tasks / 20/60 us-east-1',
      `100 * lane2 * tasks / 50/60 ${other}`,
    ]);
    expect(rows('Streams', lanes)).toContain(
      `Throttles[lane,${other},service,voice-agent] Sum/60 throttles ${other}`,
    );
    expect(rows('Bedrock (USD per hour)', lanes)).toContain(
      `EstimatedCostUsd[lane,${other},service,voice-agent] Sum/3600 ${other}`,
    );
  });

  test('draws the stream quota, and the throttles of each Region', () => {
    const two = { bedrockRegions: 'us-east-1,us-west-2' };
    expect(widget('Live calls').properties.annotations.horizontal).toEqual([
      { value: 20, label: 'Bedrock stream quota', yAxis: 'left' },
    ]);
    expect(widget('Live calls', two).properties.annotations.horizontal[0].value).toBe(40);
    expect(widget('Bedrock streams by Region', two).properties.annotations.horizontal).toEqual([
      { value: 20, label: 'quota of a Region', yAxis: 'left' },
    ]);
    expect(rows('Bedrock streams by Region', two)).toHaveLength(2);
    expect(rows('Streams', two).slice(3)).toEqual([
      'Throttles[lane,us-east-1,service,voice-agent] Sum/60 throttles us-east-1',
      'Throttles[lane,us-west-2,service,voice-agent] Sum/60 throttles us-west-2',
    ]);
  });

  test("lists the last errors of the workers' log, newest first", () => {
    const log = resources(templateWith(), 'AWS::Logs::LogGroup').find(([id]) =>
      id.startsWith('Log'),
    )?.[0];
    expect(
      widget('Last errors')
        .properties.query.split(/ ?[|\n] ?/)
        .filter(Boolean),
    ).toEqual([
      `SOURCE '<${log}>'`,
      'fields @timestamp, msg, call_id, kind, lane',
      'filter level >= 50 or ispresent(kind)',
      'sort @timestamp desc',
      'limit 20',
    ]);
  });
});
