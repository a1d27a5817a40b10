import { describe, expect, test } from "bun:test";
import { z } from "zod";
import { parseConfig } from "./config.ts";
import { tracingEnv } from "./tracing.ts";

const parsed = (env: Record<string, string>) => parseConfig(z.object(tracingEnv), env);

describe("the settings of traces", () => {
  test("are off by default", () => {
    expect(parsed({})).toEqual({
      config: { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: 0.01 },
    });
  });

  test("read headers as OpenTelemetry does", () => {
    expect(parsed({ OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b=, x-tenant = 7" })).toMatchObject({
      config: { OTEL_EXPORTER_OTLP_HEADERS: { "api-key": "a b=", "x-tenant": "7" } },
    });
  });

  test.each([
    ["OTEL_EXPORTER_OTLP_HEADERS", "key"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "=value"],
    ["OTEL_EXPORTER_OTLP_HEADERS", "key=%"],
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4317"],
    ["OTEL_TRACES_SAMPLER", "jaeger_remote"],
    ["OTEL_TRACES_SAMPLER_ARG", "1.5"],
  ])("refuse %s=%s", (variable, value) => {
    expect(parsed({ [variable]: value })).toMatchObject({ faults: [{ variable }] });
  });
});
