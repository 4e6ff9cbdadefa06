// SPDX-License-Identifier: Apache-2.0

import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import {
  DEFAULT_STREAM_QUOTA,
  DEFAULT_TOKEN_PRICES,
  NOVA_SONIC_REGIONS,
} from 'livekit-plugin-nova-sonic/models';
import { DEFAULT_VOICE_KBPS } from '../../agent/src/call/voice-kbps.js';
import { GAUGES } from '../../agent/src/telemetry/metric-definitions.js';
import { validateCallsPerTask } from '../../lib/service/task-size.js';
import { readSettings } from '../../lib/settings/read-settings.js';
import { resources, templateWith } from '../lib/synth.js';

const TEXT = readFileSync(new URL('../../docs/cost.md', import.meta.url), 'utf8');
const SETTINGS = readSettings({});
const { audioIn, audioOut, textIn, textOut } = DEFAULT_TOKEN_PRICES;
const PRICES = [audioIn, audioOut, textIn, textOut];

/** The numbers that a pattern captures in the text. */
function numbers(pattern: RegExp): number[] {
  const found = pattern.exec(TEXT);
  if (!found) throw new Error(`docs/cost.md does not match ${pattern}`);
  return found.slice(1).map((text) => Number(text.replaceAll(',', '')));
}

const one = (pattern: RegExp): number => numbers(pattern)[0] as number;

const N = '([\\d.,]+)';
const ROW = (name: string, rest: string) => new RegExp(`^\\| ${name} \\| ${rest}`, 'm');

const [vcpuHour, gbHour] = numbers(ROW('Fargate, ARM', `${N} a vCPU-hour, ${N} a GB-hour`)) as [
  number,
  number,
];
const [x86VcpuHour, x86GbHour] = numbers(
  ROW('Fargate, x86', `${N} a vCPU-hour, ${N} a GB-hour`),
) as [number, number];
const address = one(ROW('public IPv4 address', `${N} an hour`));
const [internetGb] = numbers(ROW('data to the internet', `${N} a GB`)) as [number];
const [vcpus, gib] = [SETTINGS.cpu / 1024, SETTINGS.memory / 1024];
const taskHour = vcpus * vcpuHour + gib * gbHour;
const idleHour = taskHour + address;

/** A number in the text, with the number of digits after its point. */
function written(pattern: RegExp): { value: number; digits: number } {
  const [, text] = pattern.exec(TEXT) ?? [];
  if (!text) throw new Error(`docs/cost.md does not match ${pattern}`);
  return { value: Number(text), digits: text.split('.')[1]?.length ?? 0 };
}

function holds(pattern: RegExp, expected: number): void {
  const { value, digits } = written(pattern);
  expect([String(pattern), value]).toEqual([String(pattern), Number(expected.toFixed(digits))]);
}

describe('docs/cost.md', () => {
  test('every line of arithmetic adds up', () => {
    // `60 s x 25 = 1500 tokens x 3 / 1M = 0.00450`: both sides, without their words and units.
    const lines = [...TEXT.matchAll(/```([\s\S]*?)```|^\| [\d,]+ \|(.*)\|$/gm)]
      .flatMap(([, block, row]) => block?.split('\n') ?? row?.split(' | ') ?? [])
      .filter((line) => / [x+/] .*=/.test(line) && !/kbit|kB/.test(line));
    expect(lines.length).toBeGreaterThan(12);
    for (const line of lines) {
      const sides = line.split('=').map((side) =>
        side
          .replace(/^\w+:/, '')
          .replace('1M', '1000000')
          .replaceAll('%', '/ 100')
          .replace(/\bx\b/g, '*')
          .replace(/\(?[a-zA-Z][\w,]*\)?|,/g, ' '),
      );
      for (const [index, side] of sides.slice(0, -1).entries()) {
        const [shown = ''] = /[\d.]+/.exec(sides[index + 1] ?? '') ?? [];
        if (!/[*+/]/.test(side)) continue;
        expect(side).toMatch(/^[\d.+*/() ]+$/);
        const value: number = new Function(`return ${side}`)();
        const digits = shown.split('.')[1]?.length ?? 0;
        expect([line, Number(shown)]).toEqual([line, Number(value.toFixed(digits))]);
      }
    }
  });

  test('uses the default prices of the plugin', () => {
    expect(numbers(/speech in ([\d.]+), out ([\d.]+); text in ([\d.]+), out ([\d.]+)/)).toEqual(
      PRICES,
    );
  });

  test('computes an idle task of the default size', () => {
    expect(numbers(/of the default size \((\d+) vCPU, (\d+) GB, ARM\)/)).toEqual([vcpus, gib]);
    expect(numbers(/^(\d+) x ([\d.]+) \+ (\d+) x ([\d.]+) +=/m)).toEqual([
      ...[vcpus, vcpuHour, gib, gbHour],
    ]);
    holds(/^\d+ x [\d.]+ \+ \d+ x [\d.]+ += ([\d.]+) an hour$/m, taskHour);
    holds(/^ +([\d.]+) an hour +=/m, idleHour);
    holds(/an hour +=\s+([\d.]+) a month \(730 h\)/, idleHour * 730);
    const share = (vcpus * x86VcpuHour + gib * x86GbHour) / taskHour - 1;
    expect(one(/x86 is (\d+) percent more/)).toBe(Math.round(share * 100));
  });

  test('counts the alarms and metrics of the stack', () => {
    const alarms = resources(templateWith(), 'AWS::CloudWatch::Alarm');
    const ours = alarms.filter(([id]) => id.startsWith('Monitoring'));
    const combined = ours.filter(([, { Properties }]) => Properties.Metrics);
    const inputs = combined.flatMap(([, { Properties }]) =>
      (Properties.Metrics as { MetricStat?: object }[]).filter(({ MetricStat }) => MetricStat),
    );
    const ofDeployments = alarms.filter(([id]) => id.startsWith('DeploymentAlarms'));
    const read = ofDeployments.reduce(
      (sum, [, { Properties }]) => sum + ((Properties.Metrics as unknown[])?.length ?? 2) - 1,
      0,
    );
    expect(
      numbers(
        /alarms: (\d+) x [\d.]+ \+ (\d+) combined x ([\d.]+) x [\d.]+ \+ deployments (\d+) x [\d.]+ \+ rush/,
      ),
    ).toEqual([
      ...[ours.length - combined.length, combined.length, inputs.length / combined.length, read],
    ]);
    expect(alarms).toHaveLength(ours.length + ofDeployments.length + 1);
    const simple = one(/alarm ([\d.]+) \(each metric of a combined one; high resolution [\d.]+\)/);
    const fast = one(/high resolution ([\d.]+)\)/);
    // The rush and each alarm of target tracking read two metrics.
    const perMonth = simple * (ours.length - combined.length + inputs.length + read + 4) + 2 * fast;
    holds(/of target tracking x 2 x [\d.]+ = ([\d.]+) a month/, perMonth);
    const metric = one(/metric ([\d.]+), alarm/);
    // With the Regions of ActiveStreams: the total and one.
    const gauges = Object.keys(GAUGES).length + 1;
    expect(one(/metrics: (\d+) gauges at rest/)).toBe(gauges);
    holds(/gauges at rest x [\d.]+ += ([\d.]+) a month/, gauges * metric);
    const rest = gauges * metric + perMonth + 3 + 0.4 + 0.1;
    expect(one(/an hour, (\d+) a month\*\*/)).toBe(Math.round(idleHour * 730 + rest));
    holds(/\*\*About ([\d.]+) an hour/, idleHour + rest / 730);
  });

  test('the stream quota and the number of Regions are those of the plugin', () => {
    expect(numbers(/\*\*(\d+) concurrent Nova Sonic streams in a Region\*\*/)).toEqual([
      DEFAULT_STREAM_QUOTA,
    ]);
    const regions = NOVA_SONIC_REGIONS.length;
    expect(one(/models in (\d+) \[Regions\]/)).toBe(regions);
    expect(one(/\*\*about (\d+) in all\s+four\*\*/)).toBe(regions * DEFAULT_STREAM_QUOTA);
    expect(TEXT).toContain(`bedrockRegions=${NOVA_SONIC_REGIONS.join(',')}`);
  });

  test('adds up a call-minute', () => {
    const rows = [...TEXT.matchAll(/([\d]+) tokens x +([\d.]+) +\/ 1M = ([\d.]+)/g)].map(
      ([, tokens, price, sum]) => ({
        tokens: Number(tokens),
        price: Number(price),
        sum: sum ?? '',
      }),
    );
    expect(rows.map(({ price }) => price)).toEqual(PRICES);
    for (const { tokens, price, sum } of rows) {
      expect(Number(sum)).toBe(Number(((tokens * price) / 1e6).toFixed(5)));
    }
    const bedrock = rows.reduce((total, { tokens, price }) => total + (tokens * price) / 1e6, 0);
    holds(/^Bedrock +([\d.]+)$/m, bedrock);
    const share = (SETTINGS.callsPerTask * SETTINGS.targetSlotUtilization) / 100;
    expect(numbers(/60 min \/ \((\d+) slots x (\d+) %\)/)).toEqual([
      ...[SETTINGS.callsPerTask, SETTINGS.targetSlotUtilization],
    ]);
    const fargate = idleHour / 60 / share;
    // LiveKit sends each packet twice.
    const data = ((((2 * DEFAULT_VOICE_KBPS) / 8) * 60) / 1e6) * internetGb;
    holds(/^Fargate .*= ([\d.]+)$/m, fargate);
    holds(/^data out .*= ([\d.]+)$/m, data);
    const minute = bedrock + fargate + data;
    holds(/^ +([\d.]+) a call-minute/m, minute);
    expect(one(/of which (\d+) percent are Bedrock/)).toBe(Math.round((bedrock / minute) * 100));
  });

  test('counts the calls of a task as `cdk synth` does', () => {
    const [base, count, each, calls, call, sum, memory] = numbers(
      /(\d+) \+ (\d+) x (\d+) \+ (\d+) x (\d+) = (\d+) of (\d+) MiB/,
    ) as [number, number, number, number, number, number, number];
    expect(base + count * each + calls * call).toBe(sum);
    expect([calls, memory]).toEqual([SETTINGS.callsPerTask, SETTINGS.memory]);
    const told = validateCallsPerTask(100, SETTINGS.memory);
    expect(told).toContain(`${base} + 10 x ${each} + 100 x ${call} =`);
    const own = numbers(/process: (\d+) \+ (\d+) x (\d+) \+ (\d+) x (\d+) = (\d+) MiB/);
    expect(own).toEqual([base, calls + 2, each, calls, call, 2500]);
    expect(base + (calls + 2) * each + calls * call).toBe(2500);
    expect(one(/(\d+) calls x [\d.]+ = [\d.]+ of \d+ vCPU/)).toBe(calls);
    holds(/calls x [\d.]+ = ([\d.]+) of/, calls * one(/calls x ([\d.]+) = /));
  });

  test.each([10, 100, 1000])('adds up an hour of %i calls at once', (calls) => {
    const bedrockMinute = written(/^Bedrock +([\d.]+)$/m).value;
    const tasks = Math.ceil(
      calls / ((SETTINGS.callsPerTask * SETTINGS.targetSlotUtilization) / 100),
    );
    const name = calls.toLocaleString('en-US');
    const row = new RegExp(`^\\| ${name} \\| (.*) \\|$`, 'm').exec(TEXT)?.[1]?.split(' | ') ?? [];
    const [shownTasks, cpu, memory, fargate = '', bedrock = '', hour, regions = ''] = row;
    expect(Number(shownTasks)).toBe(tasks);
    const [perCall, mostMiB] = [
      one(/talks all the time \| ([\d.]+) of a virtual CPU/),
      one(/memory of a call \| \d+ to (\d+) MiB/),
    ];
    const { cpu: units, memory: mib } = SETTINGS;
    expect(cpu).toBe(`${Number((calls * perCall).toFixed(1))} of ${(tasks * units) / 1024} vCPU`);
    const gigabytes = Number((calls * mostMiB) / 1000).toFixed(calls < 1000 ? 1 : 0);
    expect(memory).toBe(`${gigabytes} of ${(tasks * mib) / 1024} GB`);
    const near = (text: string | undefined, value: number) => {
      const shown = text?.split('= ').at(-1) ?? '';
      expect([name, Number(shown)]).toEqual([
        name,
        Number(value.toFixed(shown.split('.')[1]?.length ?? 0)),
      ]);
    };
    near(fargate, tasks * idleHour);
    near(bedrock, calls * 60 * bedrockMinute);
    near(hour, tasks * idleHour + calls * 60 * bedrockMinute);
    expect(Number.parseInt(regions, 10)).toBe(Math.ceil(calls / SETTINGS.streamQuotaPerRegion));
  });
});
