import { ROOT_CONTEXT, SpanKind as Kind, SpanStatusCode, trace, TraceFlags } from "@opentelemetry/api";
import type { Span as OtelSpan, SpanContext } from "@opentelemetry/api";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { AlwaysOnSampler, BatchSpanProcessor, TracerProvider } from "@opentelemetry/sdk-trace";
import type { SpanExporter, SpanProcessor } from "@opentelemetry/sdk-trace";
import type { Attributes, Span, SpanKind } from "./span.ts";
import type { Tracer } from "./trace.ts";
import { parseTraceparent, sampledTraceparent } from "./traceparent.ts";
import type { TraceParent } from "./traceparent.ts";

/** exported · failed (the collector is unavailable or refused them) · dropped (the queue was full) */
export type SpanOutcome = "exported" | "failed" | "dropped";

export type ExportOptions = {
  /** Base URL of the collector. */
  endpoint: string;
  headers: Record<string, string>;
  /** Attributes of the process: service.name, … */
  resource: Attributes;
  onSpans: (outcome: SpanOutcome, spans: number) => void;
  onError: (error: unknown) => void;
  /** How long spans wait for others. Default: two seconds. */
  delayMs?: number;
  /** How long a request may take, retries included. Default: five seconds. */
  timeoutMs?: number;
};

export type Export = Pick<Tracer, "start"> & {
  /** Exports what is queued. Resolves when the collector has it, or has refused it. */
  stop(): Promise<void>;
};

/** Spans that wait or are in flight: about 4 MB. */
const maxSpans = 2_048;
/** Spans of one request, which are encoded in one turn of the event loop. One is in flight, but all at the stop. */
const batchSize = 128;

const kinds: Record<SpanKind, Kind> = {
  server: Kind.SERVER,
  client: Kind.CLIENT,
  consumer: Kind.CONSUMER,
  internal: Kind.INTERNAL,
};

/** The only module that loads OpenTelemetry's SDK. Imported where tracing is on. */
export function createExport(options: ExportOptions): Export {
  const { endpoint, headers, resource, onSpans, onError, delayMs = 2_000, timeoutMs = 5_000 } = options;
  const exporter = new OTLPTraceExporter({
    url: new URL("v1/traces", endpoint.endsWith("/") ? endpoint : `${endpoint}/`).href,
    headers,
    timeoutMillis: timeoutMs,
    concurrencyLimit: maxSpans / batchSize,
  });
  let waiting = 0;
  const counted: SpanExporter = {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        waiting -= spans.length;
        onSpans(result.error === undefined ? "exported" : "failed", spans.length);
        if (result.error !== undefined) onError(result.error);
        done(result);
      }),
    shutdown: () => exporter.shutdown(),
  };
  const batches = new BatchSpanProcessor({
    exporter: counted,
    maxQueueSize: maxSpans,
    maxExportBatchSize: batchSize,
    scheduledDelayMillis: delayMs,
    exportTimeoutMillis: 2 * timeoutMs,
  });
  // The SDK has the same bound, but does not count what it drops.
  const bounded: SpanProcessor = {
    onStart: () => {},
    onEnd: (span) => {
      if (waiting >= maxSpans) return onSpans("dropped", 1);
      waiting += 1;
      batches.onEnd(span);
    },
    forceFlush: () => batches.forceFlush(),
    shutdown: () => batches.shutdown(),
  };
  const provider = new TracerProvider({
    resource: resourceFromAttributes(resource),
    // The decision was made before (sampler.ts).
    sampler: new AlwaysOnSampler(),
    spanProcessors: [bounded],
  });
  const tracer = provider.getTracer("prosaas");

  return {
    start: (name, parent, cause, { kind = "internal", attributes = {} }) => {
      const link = cause === undefined ? undefined : contextOf(parseTraceparent(cause.traceparent)!);
      const links = link === undefined || link.spanId === parent?.spanId ? [] : [{ context: link }];
      const within = parent === undefined ? ROOT_CONTEXT : trace.setSpanContext(ROOT_CONTEXT, contextOf(parent));
      return new ExportedSpan(tracer.startSpan(name, { kind: kinds[kind], attributes, links }, within));
    },
    // Each failure was reported to `onError`.
    stop: () => provider.shutdown().catch(() => {}),
  };
}

const contextOf = ({ traceId, spanId }: TraceParent): SpanContext => ({
  traceId,
  spanId,
  traceFlags: TraceFlags.SAMPLED,
  isRemote: true,
});

class ExportedSpan implements Span {
  readonly traceId: string;
  readonly traceparent: string;
  endedAt = Number.POSITIVE_INFINITY;
  readonly #span: OtelSpan;

  constructor(span: OtelSpan) {
    const { traceId, spanId } = span.spanContext();
    this.traceId = traceId;
    this.traceparent = sampledTraceparent(traceId, spanId);
    this.#span = span;
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  end(fault?: string): void {
    if (this.endedAt !== Number.POSITIVE_INFINITY) return;
    this.endedAt = performance.now();
    if (fault !== undefined)
      this.#span.setStatus({ code: SpanStatusCode.ERROR }).setAttributes({ "error.type": fault });
    this.#span.end();
  }
}
