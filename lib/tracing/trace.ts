import type { AsyncLocalStorage } from "node:async_hooks";
import type { Sampler } from "./sampler.ts";
import type { Span, SpanOptions } from "./span.ts";
import { parseTraceparent } from "./traceparent.ts";
import type { TraceParent } from "./traceparent.ts";

export type Tracer = {
  sampler: Sampler;
  current: AsyncLocalStorage<Span>;
  /** `cause`: a span of another part of the work, for instance the job that carried a message. */
  start(name: string, parent: TraceParent | undefined, cause: Span | undefined, options: SpanOptions): Span;
};

/**
 * The tracer of the process, as OpenTelemetry has it: the code between two spans need not know of tracing. Undefined
 * while tracing is off.
 */
let tracer: Tracer | undefined;

export function setTracer(next: Tracer | undefined): void {
  tracer = next;
}

/**
 * Milliseconds after its end for which work still belongs to a span, such as a wake-up that follows the answer. Timers
 * and connections that were opened during a span keep its context permanently.
 */
const afterwardsMs = 5_000;

/** True if spans are exported. */
export const isTracing = (): boolean => tracer !== undefined;

/** The span in which the caller runs. */
export function currentSpan(): Span | undefined {
  const span = tracer?.current.getStore();
  return span === undefined || performance.now() - span.endedAt > afterwardsMs ? undefined : span;
}

/** The context to hand on with work, if the caller runs in a span. */
export const currentTraceparent = (): string | undefined =>
  tracer === undefined ? undefined : currentSpan()?.traceparent;

/** Starts a trace, if it is sampled. */
export function startTrace(name: string, options: SpanOptions = {}): Span | undefined {
  return tracer?.sampler.takesNew() ? tracer.start(name, undefined, undefined, options) : undefined;
}

/** Continues the trace of a caller outside the platform, or starts one, if it is sampled. */
export function acceptTrace(
  header: string | null | undefined,
  name: string,
  options: SpanOptions = {},
): Span | undefined {
  if (tracer === undefined) return undefined;
  const parent = parseTraceparent(header);
  const taken = parent === undefined ? tracer.sampler.takesNew() : tracer.sampler.takesCallers(parent.sampled);
  return taken ? tracer.start(name, parent, undefined, options) : undefined;
}

/**
 * Continues a trace from a context that another part of the platform handed on; undefined without a sampled one. The
 * parent is what caused the work. The current span, such as the job that carried it, becomes a link.
 */
export function continueTrace(
  traceparent: string | null | undefined,
  name: string,
  options: SpanOptions = {},
): Span | undefined {
  if (tracer === undefined || traceparent === null || traceparent === undefined) return undefined;
  const parent = parseTraceparent(traceparent);
  return parent?.sampled ? tracer.start(name, parent, currentSpan(), options) : undefined;
}

/** Runs `work` in a span. Without one it runs in none, whatever span the caller's timer or connection still has. */
export function within<T>(span: Span | undefined, work: () => T): T {
  if (tracer === undefined) return work();
  if (span !== undefined) return tracer.current.run(span, work);
  return tracer.current.getStore() === undefined ? work() : tracer.current.exit(work);
}
