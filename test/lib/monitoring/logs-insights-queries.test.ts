// SPDX-License-Identifier: Apache-2.0

import { describe, expect, test } from '@jest/globals';
import {
  applyReport,
  callSummary,
  newCallRecord,
} from '../../../agent/src/supervision/call-record.js';
import { resources, templateWith } from '../synth.js';

const PRICES = { audioIn: 3, audioOut: 12, textIn: 0.33, textOut: 2.75 };

/** The fields that Logs Insights finds in a line: `a.b` for a member of an object. */
const fieldsOf = (line: object, prefix = ''): string[] =>
  Object.entries(line).flatMap(([name, value]) =>
    value && typeof value === 'object' && !Array.isArray(value)
      ? fieldsOf(value, `${prefix}${name}.`)
      : [prefix + name],
  );

const queries = () =>
  resources(templateWith(), 'AWS::Logs::QueryDefinition').map(([, { Properties }]) => Properties);

/** Each query by its name in the console, below the name of the service. */
const TABLE: [string, string[]][] = [
  [
    'a call by id',
    [
      'fields @timestamp, level, msg, region, kind, reason, end_reason, trace_id, coalesce(error.message, error) as cause',
      'filter call_id = "PASTE-THE-CALL-ID"',
      'sort @timestamp asc',
      'limit 1000',
    ],
  ],
  [
    'errors by kind',
    [
      'filter level >= 50 or ispresent(kind)',
      'stats count(*) as times, max(@timestamp) as last by msg, kind',
      'sort times desc',
      'limit 100',
    ],
  ],
  [
    'slowest replies',
    [
      'fields @timestamp, call_id, room, first_audio_ms.max, first_audio_ms.median, turns, seconds',
      'filter msg = "call ended" and ispresent(first_audio_ms.max)',
      'sort first_audio_ms.max desc',
      'limit 50',
    ],
  ],
  [
    'calls and their cost',
    [
      'fields @timestamp, call_id, room, seconds, turns, renewals, failovers, tool_errors, cost_usd, end_reason',
      'filter msg = "call ended"',
      'sort @timestamp desc',
      'limit 200',
    ],
  ],
  [
    'minutes and cost by tenant',
    [
      'filter msg = "call ended" and ispresent(tenant)',
      'stats count(*) as calls, sum(seconds) / 60 as minutes, sum(cost_usd) as usd by tenant',
      'sort usd desc',
      'limit 1000',
    ],
  ],
  [
    'why calls ended',
    [
      'filter msg = "call ended"',
      'stats count(*) as calls, avg(seconds) as mean_seconds by end_reason',
      'sort calls desc',
    ],
  ],
];

describe('saved queries', () => {
  test('are those that one asks first, under the name of the service', () => {
    expect(queries().map(({ Name }) => Name)).toEqual(
      TABLE.map(([name]) => `voice-agent/voice-agent/${name}`),
    );
  });

  test.each(TABLE)('"%s" has its query', (name, lines) => {
    const query = queries().find(({ Name }) => String(Name).endsWith(`/${name}`));
    expect(String(query?.QueryString).split('\n| ')).toEqual(lines);
  });

  test('of ended calls name fields that the line has: of an object only its members are fields', () => {
    const ids = { job: 'AJ_1', room: 'r', roomSid: 'RM_1', tenant: 'acme', pid: 100 };
    const call = newCallRecord(ids, 0);
    applyReport(call, { type: 'add', job: 'AJ_1', metric: 'TimeToFirstAudio', value: 900 }, PRICES);
    const fields = fieldsOf(callSummary(call, 60_000));
    const ofCalls = queries().filter(({ QueryString }) =>
      String(QueryString).includes('msg = "call ended"'),
    );
    expect(ofCalls).toHaveLength(4);
    for (const { QueryString } of ofCalls) {
      const names = String(QueryString)
        .replace(/"[^"]*"|@\w+|as \w+|\w+\(|[(*),=|/]/g, ' ')
        .replace(/\b(fields|filter|stats|sort|limit|desc|asc|and|by|msg|calls|usd)\b|\b\d+\b/g, ' ')
        .split(/\s+/)
        .filter(Boolean);
      expect(names.length).toBeGreaterThan(0);
      for (const name of names) expect(fields).toContain(name);
    }
  });

  test('read the log of the workers', () => {
    const log = resources(templateWith(), 'AWS::Logs::LogGroup').find(([id]) =>
      id.startsWith('Log'),
    )?.[0];
    for (const { LogGroupNames } of queries()) expect(LogGroupNames).toEqual([{ Ref: log }]);
  });
});
