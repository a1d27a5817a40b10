/**
 * W3C trace context and the export of spans by OTLP. Knows no domain.
 *
 * @module
 */
export { samplers } from "./sampler.ts";
export type { SamplerName } from "./sampler.ts";
export type { Attributes, Span, SpanKind, SpanOptions } from "./span.ts";
export { startTracing } from "./start.ts";
export type { SpanOutcome, Tracing, TracingOptions } from "./start.ts";
export { acceptTrace, continueTrace, currentSpan, currentTraceparent, isTracing, startTrace, within } from "./trace.ts";
