// SPDX-License-Identifier: Apache-2.0

import type { ReceivedSpan } from './otlp-receiver.js';

/** Attributes that say most about a span, in the order in which they are shown, and how they are called there. */
const SHOWN: readonly [attribute: string, label: string][] = [
  ['lk.job_id', ''],
  ['gen_ai.tool.name', ''],
  ['nova_sonic.region', ''],
  ['nova_sonic.reason', ''],
  ['nova_sonic.sign', ''],
  ['nova_sonic.end_reason', 'ended:'],
  ['error.type', 'error:'],
  ['lk.interrupted', 'interrupted:'],
  ['nova_sonic.turns', 'turns:'],
  ['nova_sonic.renewals', 'renewals:'],
  ['nova_sonic.cost_usd', 'USD:'],
  ['nova_sonic.tool_wait_ms', 'tool ms:'],
  ['gen_ai.usage.output_tokens', 'output tokens:'],
];

/**
 * One trace as text: a line for each span with its start and length in seconds, its children below it. A span whose parent has
 * not been received stands at the top.
 */
export function traceTree(spans: readonly ReceivedSpan[]): string {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const start = Math.min(...spans.map(({ startedAt }) => startedAt));
  const lines: string[] = ['  start   length  span'];
  const add = (parent: string | undefined, depth: number) => {
    const children = spans.filter(({ parentSpanId }) =>
      parent === undefined ? !ids.has(parentSpanId) : parentSpanId === parent,
    );
    for (const span of children.toSorted((a, b) => a.startedAt - b.startedAt)) {
      const at = seconds(span.startedAt - start).padStart(7);
      const length = seconds(span.endedAt - span.startedAt).padStart(8);
      lines.push(`${at} ${length}  ${'  '.repeat(depth)}${span.name}${describe(span)}`);
      add(span.spanId, depth + 1);
    }
  };
  add(undefined, 0);
  return `${lines.join('\n')}\n`;
}

/** The spans of the trace with most of them: on a busy machine a second agent may come into a room, and leave. */
export function largestTrace(spans: readonly ReceivedSpan[]): ReceivedSpan[] {
  const byTrace = new Map<string, ReceivedSpan[]>();
  for (const span of spans) byTrace.set(span.traceId, [...(byTrace.get(span.traceId) ?? []), span]);
  return [...byTrace.values()].sort((a, b) => b.length - a.length)[0] ?? [];
}

/** Puts the tree into a page, between `<!-- trace -->` and its end; undefined for a page without such a place. */
export function intoPage(page: string, tree: string): string | undefined {
  const place = /(<!-- trace -->\n```\n)[\s\S]*?(```\n<!-- \/trace -->)/;
  return place.test(page)
    ? page.replace(place, (_, before, after) => before + tree + after)
    : undefined;
}

const seconds = (ms: number) => (ms / 1000).toFixed(3);

function describe({ attributes, failed }: ReceivedSpan): string {
  const shown = SHOWN.filter(([name]) => attributes[name] !== undefined && attributes[name] !== 0)
    .filter(([name]) => name !== 'lk.interrupted' || attributes[name] === true)
    .map(([name, label]) => [label, String(attributes[name])].filter(Boolean).join(' '));
  if (failed) shown.push('FAILED');
  return shown.length > 0 ? `  (${shown.join(', ')})` : '';
}
