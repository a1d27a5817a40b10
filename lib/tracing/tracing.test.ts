import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { startCollector } from "../testing/collector.ts";
import type { Collector } from "../testing/collector.ts";
import { until } from "../testing/until.ts";
import {
  acceptTrace,
  continueTrace,
  currentSpan,
  currentTraceparent,
  isTracing,
  startTrace,
  startTracing,
  within,
} from "./index.ts";
import type { SpanOutcome, Tracing, TracingOptions } from "./index.ts";

const callers = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

let collector: Collector;
let tracing: Tracing | undefined;
let counts: Record<SpanOutcome, number>;
let errors: unknown[];
beforeEach(() => {
  collector = startCollector();
  counts = { exported: 0, failed: 0, dropped: 0 };
  errors = [];
});
afterEach(async () => {
  await tracing?.stop();
  tracing = undefined;
  await collector.stop();
});

async function trace(options: Partial<TracingOptions> = {}): Promise<void> {
  tracing = await startTracing({
    endpoint: collector.url,
    headers: {},
    sampler: "always_on",
    ratio: 1,
    resource: { "service.name": "test" },
    onSpans: (outcome, spans) => (counts[outcome] += spans),
    onError: (error) => errors.push(error),
    delayMs: 10,
    ...options,
  });
}

describe("without a collector", () => {
  test("nothing is traced", () => {
    expect(isTracing()).toBeFalse();
    expect([startTrace("a"), acceptTrace(callers, "b"), continueTrace(callers, "c")]).toEqual(Array(3).fill(undefined));
    expect([currentSpan(), currentTraceparent()]).toEqual([undefined, undefined]);
    expect(within(undefined, () => 7)).toBe(7);
  });

  test("OpenTelemetry is not loaded", async () => {
    const root = join(import.meta.dir, "../..");
    const files = await Array.fromAsync(new Bun.Glob("{lib,services}/**/*.ts").scan({ cwd: root }));
    const texts = await Promise.all(
      files.map(async (path) => [path, await Bun.file(join(root, path)).text()] as const),
    );
    const importing = (what: RegExp) => texts.filter(([, text]) => what.test(text)).map(([path]) => path);
    expect(importing(/^(import|export) .*from "@opentelemetry\//m)).toEqual(["lib/tracing/export.ts"]);
    expect(importing(/^(import|export) (?!type )[^;]*from "\.\/export\.ts"/m)).toEqual([]);
  });
});

describe("spans", () => {
  test("reach the collector with their parents", async () => {
    await trace({ headers: { "x-api-key": "secret" } });
    const root = acceptTrace(callers, "request", {
      kind: "server",
      attributes: { "prosaas.queue": "high", gone: undefined },
    })!;
    const child = continueTrace(root.traceparent, "child")!;
    child.end("not_found");
    child.end();
    root.rename("POST /");
    root.end();
    await until(() => counts.exported === 2, { what: "the spans" });
    const [traceId, callersId] = callers.split("-").slice(1);
    expect(collector.spans.toSorted((a, b) => (a.name < b.name ? -1 : 1))).toEqual([
      {
        service: "test",
        name: "POST /",
        kind: 2,
        traceId: traceId!,
        spanId: root.traceparent.split("-")[2]!,
        parentId: callersId!,
        attributes: { "prosaas.queue": "high" },
        links: [],
        status: 0,
      },
      {
        service: "test",
        name: "child",
        kind: 1,
        traceId: traceId!,
        spanId: child.traceparent.split("-")[2]!,
        parentId: root.traceparent.split("-")[2]!,
        attributes: { "error.type": "not_found" },
        links: [],
        status: 2,
      },
    ]);
    expect(collector.headers.get("x-api-key")).toBe("secret");
    expect(counts).toEqual({ exported: 2, failed: 0, dropped: 0 });
  });

  test("link to the span that carries the work", async () => {
    await trace();
    const [job, request] = [startTrace("job")!, startTrace("request")!];
    within(job, () => {
      continueTrace(request.traceparent, "message")!.end();
      continueTrace(job.traceparent, "own")!.end();
    });
    await until(() => collector.spans.length === 2, { what: "the spans" });
    const links = Object.fromEntries(collector.spans.map((span) => [span.name, span.links]));
    expect(links).toEqual({ message: [job.traceparent.split("-")[2]!], own: [] });
  });

  test("continue only sampled contexts inside the platform", async () => {
    await trace();
    for (const context of [undefined, null, "nonsense", callers.replace(/01$/, "00")])
      expect(continueTrace(context, "x")).toBeUndefined();
  });
});

describe("the current span", () => {
  test("survives awaits and ends with the work", async () => {
    await trace();
    const span = startTrace("request")!;
    const inner = await within(span, async () => {
      await Bun.sleep(0);
      return currentTraceparent();
    });
    expect(inner).toBe(span.traceparent);
    expect(currentSpan()).toBeUndefined();
  });

  test("is left by work that is not sampled", async () => {
    await trace();
    const seen = within(startTrace("request"), () => within(undefined, () => currentSpan()));
    expect(seen).toBeUndefined();
  });
});

describe("a collector that is down", () => {
  test("costs spans, not memory or time", async () => {
    await collector.stop();
    await trace({ delayMs: 60_000, timeoutMs: 200 });
    const began = performance.now();
    for (let n = 0; n < 10_000; n++) startTrace("request")!.end();
    expect(performance.now() - began).toBeLessThan(2_000);
    expect(counts.dropped).toBeGreaterThanOrEqual(10_000 - 2_048);
    await tracing!.stop();
    tracing = undefined;
    await until(() => counts.dropped + counts.failed === 10_000, { what: "the end of every request" });
    expect(errors.length).toBeGreaterThan(0);
  }, 30_000);

  test("gets the spans that follow its return", async () => {
    collector.answer = async () => new Response(null, { status: 400 });
    await trace();
    startTrace("lost")!.end();
    await until(() => counts.failed === 1, { what: "the failure" });
    collector.answer = async () => undefined;
    startTrace("kept")!.end();
    await until(() => collector.spans.length === 1, { what: "the span" });
    expect(collector.spans[0]!.name).toBe("kept");
  });
});
