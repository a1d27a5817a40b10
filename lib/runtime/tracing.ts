import { z } from "zod";
import { messageOf } from "../core/errors.ts";
import { withinGrace } from "../core/time.ts";
import { samplers, startTracing } from "../tracing/index.ts";
import type { Attributes, SpanOutcome } from "../tracing/index.ts";
import { zUrl } from "./config.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { Logger } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { withoutRepeats } from "./repeats.ts";

/** "name=value,…", as OpenTelemetry spells headers. */
const zHeaders = z.string().transform((text, context) => {
  try {
    return Object.fromEntries(text.split(",").map(headerOf));
  } catch {
    context.addIssue({ code: "custom", message: 'must be "name=value", separated by commas, values percent-encoded' });
    return z.NEVER;
  }
});

function headerOf(pair: string): [string, string] {
  const at = pair.indexOf("=");
  const name = pair.slice(0, Math.max(0, at)).trim();
  if (!/^[\w-]+$/.test(name)) throw new Error("no header");
  return [name, decodeURIComponent(pair.slice(at + 1).trim())];
}

/** OpenTelemetry's own names. lib/tracing/README.md explains what is sampled. */
export const tracingEnv = {
  /** Base URL of the collector, which gets the spans by OTLP over HTTP. Unset: nothing is traced. */
  OTEL_EXPORTER_OTLP_ENDPOINT: zUrl("http", "https").optional(),
  /** Headers of the requests to the collector, such as an API key. */
  OTEL_EXPORTER_OTLP_HEADERS: zHeaders.optional(),
  OTEL_TRACES_SAMPLER: z.enum(samplers).default("parentbased_traceidratio"),
  /** Share of the traces that a ratio takes. */
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(0.01),
  /** Set by Nomad. Names the process in traces. */
  NOMAD_ALLOC_ID: z.string().optional(),
};

export type TracesOptions = {
  config: z.output<z.ZodObject<typeof tracingEnv>>;
  /** service.name */
  name: string;
  attributes?: Attributes;
  life: Lifecycle;
  logger: Logger;
  metrics: Metrics;
};

/** How long a stopping service waits for the collector. */
const stopGraceMs = 2_000;

/** Exports the service's spans until it stops, if a collector is configured. */
export async function exportTraces({ config, name, attributes, life, logger, metrics }: TracesOptions): Promise<void> {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_EXPORTER_OTLP_HEADERS: headers = {} } = config;
  if (endpoint === undefined) return;
  const counted = metrics.counter("trace_spans_total", "Spans of sampled traces, by what became of them.", ["outcome"]);
  const onError = withoutRepeats((error, held_back) =>
    logger.warn({ error: messageOf(error), held_back }, "spans could not be exported to the collector"),
  );
  const { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: ratio, NOMAD_ALLOC_ID: instance } = config;
  const tracing = await startTracing({
    endpoint,
    headers,
    sampler,
    ratio,
    resource: { "service.name": name, "service.instance.id": instance, ...attributes },
    onSpans: (outcome: SpanOutcome, spans: number) => counted.inc({ outcome }, spans),
    onError,
  });
  life.onStop("traces", () => withinGrace(stopGraceMs, tracing.stop()));
  logger.info({ sampler, ratio }, "tracing");
}
