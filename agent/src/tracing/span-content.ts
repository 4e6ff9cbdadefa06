// SPDX-License-Identifier: Apache-2.0

import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-node';

/** Attributes of the framework (1.9.0, telemetry/trace_types.ts) that hold ids, names from code, numbers and flags. */
const OF_FRAMEWORK = [
  ...[
    'lk.agent_label',
    'lk.agent_name',
    'lk.job_id',
    'lk.generation_id',
    'lk.parent_generation_id',
  ],
  ...[
    'lk.speech_id',
    'lk.interrupted',
    'lk.is_interruption',
    'lk.retry_count',
    'lk.participant_kind',
  ],
  ...['lk.function_tool.name', 'lk.function_tool.is_error', 'lk.response.ttft', 'lk.e2e_latency'],
  ...['lk.blocking.duration', 'lk.blocking.cause', 'lk.blocking.count', 'lk.blocking.severity'],
  ...[
    'lk.blocking.total_duration',
    'lk.blocking.max_duration',
    'lk.amd.category',
    'lk.amd.is_machine',
  ],
  ...[
    'gen_ai.operation.name',
    'gen_ai.provider.name',
    'gen_ai.request.model',
    'gen_ai.response.model',
  ],
  ...['gen_ai.request.stream', 'gen_ai.response.id', 'gen_ai.response.finish_reasons'],
  ...['gen_ai.response.time_to_first_chunk', 'gen_ai.output.type', 'gen_ai.agent.name'],
  ...['gen_ai.tool.name', 'gen_ai.tool.call.id', 'gen_ai.tool.type', 'gen_ai.usage.input_tokens'],
  ...[
    'gen_ai.usage.output_tokens',
    'gen_ai.usage.text.input_tokens',
    'gen_ai.usage.text.output_tokens',
  ],
  ...['gen_ai.usage.audio.input_tokens', 'gen_ai.usage.audio.output_tokens'],
  ...['error.type', 'exception.type'],
];
/** What our own spans begin their attributes with; see call-trace.ts and call-spans.ts. */
const OF_OURS = 'nova_sonic.';
/** Events that say what happened by their name and the attributes above. */
const EVENTS = new Set(['exception', 'event_loop_blocked']);
/** The framework's span around a job in a process of its own, outside of the trace of the call. */
const OUTSIDE = 'job_entrypoint';
/** No id or name is longer; a text could be. */
const MAX_CHARACTERS = 200;

/**
 * Makes of a span what may leave the task: names, times, ids and numbers. The framework puts what people say, prompts, arguments
 * and results of tools, and who somebody is into its spans; whatever is not on the list is left out, so also what a later
 * version adds. The message of a status or an error goes too, since it may quote them.
 * @param more names of attributes of your own spans
 */
export class SpanContent {
  readonly #allowed: ReadonlySet<string>;

  constructor(more: readonly string[] = []) {
    this.#allowed = new Set([...OF_FRAMEWORK, ...more]);
  }

  /** @returns the span without content; undefined for one that is not part of a call */
  withoutContent(span: ReadableSpan): ReadableSpan | undefined {
    if (span.name === OUTSIDE) return undefined;
    const { name, kind, parentSpanContext, startTime, endTime, duration, ended, resource } = span;
    const { instrumentationScope, droppedAttributesCount, droppedEventsCount, status } = span;
    const context = span.spanContext();
    // Field by field: nothing of the original, which may be large, is kept while it waits.
    return {
      name: name.slice(0, MAX_CHARACTERS),
      kind,
      spanContext: () => context,
      ...(parentSpanContext && { parentSpanContext }),
      startTime,
      endTime,
      duration,
      ended,
      status: { code: status.code },
      attributes: this.#filter(span.attributes),
      events: span.events
        .filter((event) => EVENTS.has(event.name))
        .map(({ name, time, attributes = {} }) => ({
          name,
          time,
          attributes: this.#filter(attributes),
        })),
      links: span.links.map(({ context }) => ({ context })),
      resource,
      instrumentationScope,
      droppedAttributesCount,
      droppedEventsCount,
      droppedLinksCount: span.droppedLinksCount,
    };
  }

  #filter(attributes: Attributes): Attributes {
    const kept: Attributes = {};
    for (const [key, value] of Object.entries(attributes)) {
      if (value !== undefined && (key.startsWith(OF_OURS) || this.#allowed.has(key)))
        kept[key] = short(value);
    }
    return kept;
  }
}

function short(value: AttributeValue): AttributeValue {
  if (typeof value === 'string') return value.slice(0, MAX_CHARACTERS);
  if (!Array.isArray(value)) return value;
  return value.map((item) =>
    typeof item === 'string' ? item.slice(0, MAX_CHARACTERS) : item,
  ) as AttributeValue;
}
