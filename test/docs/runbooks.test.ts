// SPDX-License-Identifier: Apache-2.0

import { expect, test } from '@jest/globals';
import { PAGES, read } from './markdown.js';

const RUNBOOKS = 'docs/operations/runbooks.md';
const MONITORING = 'docs/operations/monitoring.md';

/** The table of alarms, which is generated from the code: `[Name](link)` in its first column. */
const [, TABLE = ''] =
  /<!-- generated: alarms -->\n([\s\S]*?)<!-- \/generated: alarms -->/.exec(read(MONITORING)) ?? [];
const rows = [...TABLE.matchAll(/^\| \[`?(\w+)`?\]\(([^)]+)\) \|/gm)].map(
  ([, name = '', link = '']) => ({ name, link }),
);

test('each alarm links to its runbook', () => {
  expect(rows.length).toBeGreaterThan(10);
  expect(TABLE.match(/^\| /gm)).toHaveLength(rows.length + 2);
  for (const { name, link } of rows) expect(link).toBe(`runbooks.md#${name.toLowerCase()}`);
});

test('each alarm has a runbook under its name, and each runbook an alarm', () => {
  const sections = [...read(RUNBOOKS).matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
  expect(sections.toSorted()).toEqual(rows.map(({ name }) => name).toSorted());
});

test('each runbook says what the alarm means, what to check and what to do', () => {
  for (const section of read(RUNBOOKS).split(/^## /m).slice(1)) {
    const [name] = section.split('\n');
    const parts = ['**Meaning.**', '**Check**', '**Do**'].map((part) => section.indexOf(part));
    expect([name, parts.every((at) => at > 0)]).toEqual([name, true]);
    expect([name, parts]).toEqual([name, parts.toSorted((a, b) => a - b)]);
  }
});

test('no page names an alarm that has been renamed', () => {
  const old = /\b(SlotsNearlyFull|RepliesSlow|MetricsSilent|StreamQuotaNearlyUsed|CallsCrashed)\b/;
  const pages = PAGES.filter((page) => page !== 'docs/upgrading.md');
  expect(pages.filter((page) => old.test(read(page)))).toEqual([]);
});

test('graphs and saved queries that a page names exist', () => {
  const dashboard = read('lib/monitoring/agent-dashboard.ts');
  const queries = read('lib/monitoring/logs-insights-queries.ts');
  const missing = PAGES.flatMap((page) => {
    const text = read(page).replace(/\s+/g, ' ');
    const graphs = [...text.matchAll(/\bgraph "([^"]+)"/g)].map(([, title = '']) => title);
    const named = [...text.matchAll(/\bquery \*([^*]+)\*/g)].map(([, name = '']) => name);
    return [
      ...graphs.filter((title) => !dashboard.includes(`'${title}'`)),
      ...named.filter((name) => !queries.includes(`'${name}'`)),
    ];
  });
  expect(missing).toEqual([]);
});
