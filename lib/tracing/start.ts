import { AsyncLocalStorage } from "node:async_hooks";
import type { ExportOptions } from "./export.ts";
import { createSampler } from "./sampler.ts";
import type { SamplerName } from "./sampler.ts";
import { setTracer } from "./trace.ts";

export type { SpanOutcome } from "./export.ts";

export type TracingOptions = ExportOptions & { sampler: SamplerName; ratio: number };

export type Tracing = {
  /** Stops tracing. Resolves when the queued spans are exported or have failed. */
  stop(): Promise<void>;
};

/** Starts to trace this process. Without this call nothing of OpenTelemetry is loaded. */
export async function startTracing({ sampler, ratio, ...options }: TracingOptions): Promise<Tracing> {
  const { createExport } = await import("./export.ts");
  const { start, stop } = createExport(options);
  setTracer({ sampler: createSampler(sampler, ratio), current: new AsyncLocalStorage(), start });
  return {
    stop: () => {
      setTracer(undefined);
      return stop();
    },
  };
}
