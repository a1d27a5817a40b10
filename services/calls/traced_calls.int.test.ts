import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { startCollector } from "../../lib/testing/collector.ts";
import type { Collector } from "../../lib/testing/collector.ts";
import { until } from "../../lib/testing/until.ts";
import { startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";

let collector: Collector;
let agent: Bun.Server<undefined>;
let stack: Stack;
/** The `traceparent` of each connection to the agent. */
const traceparents: (string | null)[] = [];

beforeAll(async () => {
  collector = startCollector();
  agent = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: (request, server) => {
      traceparents.push(request.headers.get("traceparent"));
      return server.upgrade(request) ? undefined : new Response(null, { status: 426 });
    },
    websocket: { message: () => {} },
  });
  stack = await startStack({
    agentUrl: `ws://127.0.0.1:${agent.port}/`,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER: "always_on" },
  });
});
afterAll(async () => {
  await stack?.close();
  await Promise.all([agent.stop(true), collector.stop()]);
});

describe("a traced call", () => {
  test("is one trace up to the agent", async () => {
    const { number } = await stack.business();
    const call = stack.carrier.dialIn({ from: "+15551112222", to: number, durationS: null, digits: "" });
    await until(() => traceparents.length === 1, { what: "the agent's connection" });
    call.hangUp();
    await call.done;
    const named = (name: string) => collector.spans.find((span) => span.name === name);
    await until(() => named("media stream") !== undefined, { what: "the span of the stream" });
    const [webhook, stream] = [named("POST /webhooks/twilio/voice")!, named("media stream")!];
    expect(stream).toMatchObject({ traceId: webhook.traceId, parentId: webhook.spanId });
    expect(stream.attributes).toMatchObject({ "prosaas.call_sid": call.sid, "prosaas.end": "hung_up" });
    expect(traceparents).toEqual([`00-${stream.traceId}-${stream.spanId}-01`]);
    expect(named("event call.started")).toMatchObject({ traceId: webhook.traceId, parentId: webhook.spanId });
    for (const party of [number, "15551112222"]) expect(JSON.stringify(collector.spans)).not.toContain(party);
  });
});
