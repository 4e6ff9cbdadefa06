// SPDX-License-Identifier: Apache-2.0

import { describe, expect, it } from '@jest/globals';
import { telemetry } from '@livekit/agents';
import { SpanStatusCode } from '@opentelemetry/api';
import {
  InMemorySpanExporter,
  NodeTracerProvider,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import { SpanContent } from '../../../agent/src/tracing/span-content.js';

const SAID = 'my card is 4242 4242';

const constants = (prefix: string) =>
  Object.entries(telemetry.traceTypes as unknown as Record<string, unknown>).flatMap(
    ([name, value]) => (name.startsWith(prefix) && typeof value === 'string' ? [value] : []),
  );

/** A span with everything that the framework could put into one, each with what a caller said. */
function spanOfFramework() {
  const exporter = new InMemorySpanExporter();
  const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const tracer = provider.getTracer('livekit-agents');
  const span = tracer.startSpan('function_tool');
  for (const name of constants('ATTR_')) span.setAttribute(name, SAID);
  for (const name of [...constants('EVENT_'), 'an event of a later version'])
    span.addEvent(name, { content: SAID, 'lk.pii.user_input': SAID });
  span.recordException(new TypeError(SAID));
  span.setStatus({ code: SpanStatusCode.ERROR, message: SAID });
  span.setAttribute('a.later.version', SAID);
  span.setAttribute('shop.note', SAID);
  span.setAttribute('nova_sonic.turns', 3);
  span.setAttribute('gen_ai.usage.input_tokens', 17);
  span.end();
  const [finished] = exporter.getFinishedSpans();
  if (!finished) throw new Error('no span');
  return finished;
}

/** Attributes whose value, as the framework sets it, is an id, a name from code, a number or a flag. */
const HOLD_NO_CONTENT =
  /^(lk\.(agent_(label|name)|job_id|(parent_)?generation_id|speech_id|interrupted|is_interruption|retry_count|participant_kind|function_tool\.(name|is_error)|response\.ttft|e2e_latency|blocking\.(duration|cause|count|severity|total_duration|max_duration)|amd\.(category|is_machine))|gen_ai\.(operation\.name|provider\.name|request\.(model|stream)|response\.(model|id|finish_reasons|time_to_first_chunk)|output\.type|agent\.name|tool\.(name|call\.id|type)|usage\.((text|audio)\.)?(in|out)put_tokens)|error\.type|exception\.type)$/;

describe('SpanContent', () => {
  it('leaves out every attribute of the framework that is not known to hold no content', () => {
    const { attributes } = spanOfFramework();
    // That the framework has them at all: otherwise this would test nothing.
    expect(Object.keys(attributes)).toEqual(
      expect.arrayContaining([
        ...['lk.pii.chat_ctx', 'lk.pii.function_tool.arguments', 'lk.pii.function_tool.output'],
        ...['lk.pii.user_transcript', 'lk.pii.instructions', 'lk.pii.participant_identity'],
        ...['gen_ai.input.messages', 'gen_ai.tool.call.arguments', 'gen_ai.system_instructions'],
        ...['lk.session_options', 'lk.realtime_model_metrics', 'lk.participant_id'],
      ]),
    );
    const stripped = new SpanContent().withoutContent(spanOfFramework());
    const left = Object.keys(stripped?.attributes ?? {});
    expect(left.filter((name) => !HOLD_NO_CONTENT.test(name))).toEqual(['nova_sonic.turns']);
    expect(stripped?.attributes).toMatchObject({
      'nova_sonic.turns': 3,
      'gen_ai.usage.input_tokens': 17,
    });
  });

  it('leaves out messages of errors, and events but for their name', () => {
    const stripped = new SpanContent().withoutContent(spanOfFramework());
    expect(stripped?.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(stripped?.events).toMatchObject([
      { name: 'exception', attributes: { 'exception.type': 'TypeError' } },
    ]);
    expect(JSON.stringify(stripped?.events)).not.toContain(SAID);
  });

  it('keeps nothing of the original, which may be large', () => {
    const stripped = new SpanContent().withoutContent(spanOfFramework());
    expect(stripped && Object.getPrototypeOf(stripped)).toBe(Object.prototype);
  });

  it('lets attributes of your own spans pass that you name, cut to the length of a name', () => {
    const own = new SpanContent(['shop.note', 'shop.items']);
    const span = { ...spanOfFramework(), spanContext: spanOfFramework().spanContext };
    const attributes = { 'shop.note': 'x'.repeat(5_000), 'shop.items': ['y'.repeat(5_000), null] };
    const stripped = own.withoutContent({
      ...span,
      // A text could be put there as well.
      name: 'z'.repeat(5_000),
      attributes: attributes as unknown as typeof span.attributes,
      links: [],
      events: [],
    });
    expect(stripped?.name).toBe('z'.repeat(200));
    expect(stripped?.attributes).toEqual({
      'shop.note': 'x'.repeat(200),
      'shop.items': ['y'.repeat(200), null],
    });
  });

  it("drops the framework's span around a job, which is outside of the trace of the call", () => {
    const span = { ...spanOfFramework(), name: 'job_entrypoint' };
    expect(new SpanContent().withoutContent(span)).toBeUndefined();
  });
});
