// SPDX-License-Identifier: Apache-2.0

// Loaded only when traces are on; see tracing.ts.

import { log, telemetry } from '@livekit/agents';
import {
  type Attributes,
  type Context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  RandomIdGenerator,
  type ReadableSpan,
  SamplingDecision,
  type Span,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { callSpanContext } from './call-trace-ids.js';
import { SpanContent } from './span-content.js';

/** Spans that wait at most; more are dropped. About 1 MB. */
const MAX_QUEUE = 2_048;
/** Milliseconds between two exports, and for one, its retries included. */
const EXPORT_EVERY_MS = 2_000;
const EXPORT_TIMEOUT_MS = 5_000;

export interface TraceExportOptions {
  /** `service.name`, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES says otherwise. */
  readonly serviceName: string;
  /** Share of calls that are traced, 0 to 1. Decided by the id of the trace: a call is traced whole or not at all. */
  readonly sampleRatio: number;
  /** Attributes of spans of your own that may leave the task. */
  readonly attributes: readonly string[];
  /** Where spans go. Default: OTLP over HTTP, by the standard variables. */
  readonly exporter?: SpanExporter;
}

/** A span that is written when all about it is known. */
export interface FinishedSpan {
  readonly name: string;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  readonly endedAt: number;
  readonly attributes: Attributes;
  readonly failed?: boolean;
}

/** The spans of this process on their way to an OTLP endpoint, without what people say. */
export class TraceExport {
  readonly provider: NodeTracerProvider;
  readonly #exporter: ReportingExporter;
  readonly #processor: ContentFilter;
  readonly #sampler: TraceIdRatioBasedSampler;
  readonly #ids = new CallIds();

  constructor(options: TraceExportOptions) {
    this.#exporter = new ReportingExporter(
      options.exporter ?? new OTLPTraceExporter({ timeoutMillis: EXPORT_TIMEOUT_MS }),
    );
    this.#processor = new ContentFilter(
      new SpanContent(options.attributes),
      new BatchSpanProcessor(this.#exporter, {
        maxQueueSize: MAX_QUEUE,
        scheduledDelayMillis: EXPORT_EVERY_MS,
        exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      }),
    );
    this.#sampler = new TraceIdRatioBasedSampler(options.sampleRatio);
    const frameworks = new telemetry.FanoutSpanProcessor();
    this.provider = new NodeTracerProvider({
      sampler: this.#sampler,
      idGenerator: this.#ids,
      resource: defaultResource()
        .merge(resourceFromAttributes({ 'service.name': options.serviceName }))
        .merge(detectResources({ detectors: [envDetector] })),
      spanProcessors: [this.#processor, frameworks],
    });
    // Makes it the one of the process, with an async context that keeps calls apart.
    this.provider.register();
    telemetry.setTracerProvider(this.provider, {
      allowPii: false,
      registerSpanProcessor: (processor) => frameworks.add(processor),
    });
  }

  /** Where the spans of a call belong; undefined for a call that is not traced. */
  contextOf(jobId: string): Context | undefined {
    const root = callSpanContext(jobId);
    const { decision } = this.#sampler.shouldSample(ROOT_CONTEXT, root.traceId);
    if (decision !== SamplingDecision.RECORD_AND_SAMPLED) return undefined;
    return trace.setSpanContext(ROOT_CONTEXT, root);
  }

  /** Writes the root span of a call, under which all others are. */
  writeRoot(jobId: string, span: FinishedSpan): void {
    this.#ids.next = callSpanContext(jobId);
    this.#write(ROOT_CONTEXT, span, SpanKind.SERVER);
  }

  /** Writes another span of a call. */
  write(jobId: string, span: FinishedSpan): void {
    const context = this.contextOf(jobId);
    if (context) this.#write(context, span);
  }

  #write(context: Context, span: FinishedSpan, kind = SpanKind.INTERNAL): void {
    const { name, startedAt: startTime, endedAt, attributes, failed } = span;
    this.provider
      .getTracer('nova-sonic-agent')
      .startSpan(name, { kind, startTime, attributes }, context)
      .setStatus({ code: failed ? SpanStatusCode.ERROR : SpanStatusCode.UNSET })
      .end(endedAt);
  }

  /** Sends what is there, unless nobody has listened lately. Takes at most `ms`; never rejects. */
  async flush(ms: number): Promise<void> {
    if (this.#exporter.failing) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.#processor.forceFlush().catch(() => {}), late]);
    clearTimeout(timer);
  }
}

/** Random ids, but for the span whose ids are known. */
class CallIds extends RandomIdGenerator {
  next: { traceId: string; spanId: string } | undefined;

  constructor() {
    super();
    const { generateTraceId, generateSpanId } = this;
    this.generateSpanId = () => this.next?.spanId ?? generateSpanId();
    this.generateTraceId = () => {
      // The last that the SDK asks for a root span.
      const { traceId = generateTraceId() } = this.next ?? {};
      this.next = undefined;
      return traceId;
    };
  }
}

/** Passes on spans without their content. */
class ContentFilter implements SpanProcessor {
  readonly #content: SpanContent;
  readonly #next: SpanProcessor;

  constructor(content: SpanContent, next: SpanProcessor) {
    this.#content = content;
    this.#next = next;
  }

  onStart(_span: Span): void {}

  onEnd(span: ReadableSpan): void {
    const stripped = this.#content.withoutContent(span);
    if (stripped) this.#next.onEnd(stripped);
  }

  forceFlush = (): Promise<void> => this.#next.forceFlush();
  shutdown = (): Promise<void> => this.#next.shutdown();
}

/** Says once that the endpoint cannot be reached, and once that it can again. */
class ReportingExporter implements SpanExporter {
  readonly #next: SpanExporter;
  /** That of the process: an export runs in the context of whichever call ended a span first. */
  readonly #logger = log();
  #lost = 0;

  constructor(next: SpanExporter) {
    this.#next = next;
  }

  /** Whether the last export failed. */
  get failing(): boolean {
    return this.#lost > 0;
  }

  export(...[spans, done]: Parameters<SpanExporter['export']>): void {
    this.#next.export(spans, (result) => {
      if (result.code === 0) this.#delivered();
      else this.#failed(spans.length, result.error);
      // Reported: the SDK would report it for each batch.
      done({ code: 0 });
    });
  }

  forceFlush = async (): Promise<void> => this.#next.forceFlush?.();
  shutdown = (): Promise<void> => this.#next.shutdown();

  #delivered(): void {
    if (this.#lost > 0) {
      this.#logger.info({ lost_spans: this.#lost }, 'traces are delivered again');
    }
    this.#lost = 0;
  }

  #failed(spans: number, error: Error | undefined): void {
    if (this.#lost === 0) {
      // Without the error itself, which has the answer of the endpoint and the headers of the request.
      const { name, code } = (error ?? {}) as { name?: string; code?: unknown };
      this.#logger.warn(
        { error: name, code },
        'traces cannot be delivered: check OTEL_EXPORTER_OTLP_ENDPOINT; calls go on, spans are dropped',
      );
    }
    this.#lost += spans;
  }
}
