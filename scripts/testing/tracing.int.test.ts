import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCollector } from "../../lib/testing/collector.ts";
import type { Collector, ReceivedSpan } from "../../lib/testing/collector.ts";
import { until } from "../../lib/testing/until.ts";
import { messageRequest } from "../lab/rig/customer_api.ts";
import { makeBusinesses } from "../lab/rig/pairing.ts";
import { startPlatform } from "../lab/rig/platform.ts";
import type { Customer, Platform } from "../lab/rig/platform.ts";

/* The trace of a message through the processes of the platform: API, queue, worker, shard and webhook. */
setDefaultTimeout(120_000);

let folder: string;
let collector: Collector;
let endpoint: Bun.Server<undefined>;
let platform: Platform;
let customer: Customer;
/** Deliveries, by event and `traceparent`. */
const delivered: { event: string; traceparent: string | null }[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-tracing-"));
  collector = startCollector();
  const env = {
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
    // Only what a test asks for is sampled, until a test changes the shard's ratio.
    OTEL_TRACES_SAMPLER_ARG: "0",
  };
  platform = await startPlatform({
    folder,
    workers: [{ group: "all" }],
    env,
    shard: { env: { ...env, OTEL_TRACES_SAMPLER: "parentbased_always_on" } },
  });
  [customer] = (await platform.enroll(makeBusinesses(1, 1))) as [Customer];
  await platform.simulator.makePhone(customer.contacts[0]!);
  endpoint = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const { type } = (await request.json()) as { type: string };
      delivered.push({ event: type, traceparent: request.headers.get("traceparent") });
      return new Response();
    },
  });
  await platform.webhook(customer.id, `http://127.0.0.1:${endpoint.port}/hook`, [
    "message.sent",
    "message.delivered",
    "message.received",
  ]);
});
afterAll(async () => {
  await platform?.stop();
  await Promise.all([endpoint?.stop(true), collector?.stop()]);
  await rm(folder, { recursive: true, force: true });
});

const text = "a text that no collector may see";

/** Sends a message; returns its id. `traceparent`: the caller's. */
async function send(traceparent?: string): Promise<string> {
  const { path, ...request } = messageRequest(customer, customer.contacts[0]!, text);
  const headers = { ...request.headers, ...(traceparent === undefined ? {} : { traceparent }) };
  const response = await fetch(platform.apis[0]!.url + path, { ...request, headers });
  expect(response.status).toBe(202);
  return ((await response.json()) as { id: string }).id;
}

const newTrace = () => Buffer.from(crypto.getRandomValues(new Uint8Array(16))).toString("hex");
const callersSpan = "00f067aa0ba902b7";
const spansOf = (traceId: string) => collector.spans.filter((span) => span.traceId === traceId);
const announced = (event: string, traceId: string) =>
  delivered.find((delivery) => delivery.event === event && delivery.traceparent?.includes(traceId));

/** The names from a span up to its root's parent. */
function ancestry(spans: readonly ReceivedSpan[], span: ReceivedSpan): string[] {
  const parent = spans.find(({ spanId }) => spanId === span.parentId);
  return [`${span.service} ${span.name}`, ...(parent === undefined ? [span.parentId] : ancestry(spans, parent))];
}

describe("a message of a caller with a trace", () => {
  const traceId = newTrace();
  let id: string;
  let spans: ReceivedSpan[];
  const lineage = (name: string) =>
    ancestry(
      spans,
      spans.find((span) => span.name === name)!,
    );
  const api = ["prosaas-api POST /v1/businesses/:business_id/messages", callersSpan];
  const worker = "prosaas-worker-all";

  beforeAll(async () => {
    id = await send(`00-${traceId}-${callersSpan}-01`);
    await until(() => announced("message.delivered", traceId) !== undefined, { what: "the receipt's delivery" });
    await until(() => spansOf(traceId).filter(({ name }) => name === "deliver webhook").length === 2, {
      what: "the spans of both deliveries",
    });
    await until(() => spansOf(traceId).some(({ name }) => name === "send to WhatsApp"), { what: "the shard's spans" });
    spans = spansOf(traceId);
  });

  test("is one trace from the caller to WhatsApp", () => {
    expect(lineage("job send")).toEqual([`${worker} job send`, ...api]);
    expect(lineage("POST /sessions/:business_id/messages")).toEqual([
      "whatsapp-shard POST /sessions/:business_id/messages",
      `${worker} job send`,
      ...api,
    ]);
    expect(lineage("send to WhatsApp")).toEqual(["whatsapp-shard send to WhatsApp", `${worker} send message`, ...api]);
    const [job, message] = ["job send", "send message"].map((name) => spans.find((span) => span.name === name)!);
    expect(message!.links).toEqual([job!.spanId]);
    expect(message!.attributes["prosaas.message_id"]).toBe(id);
  });

  test("goes on to the customer's endpoint", () => {
    const deliveries = spans.filter(({ name }) => name === "deliver webhook");
    for (const event of ["message.sent", "message.delivered"]) {
      const span = deliveries.find(({ attributes }) => attributes["prosaas.event"] === event)!;
      expect(ancestry(spans, span)).toEqual([`${worker} deliver webhook`, `${worker} event ${event}`, ...api]);
      expect(announced(event, traceId)!.traceparent).toBe(`00-${traceId}-${span.spanId}-01`);
    }
  });

  test("shows no text, number or key", () => {
    const shown = JSON.stringify(collector.spans);
    for (const secret of [text, customer.contacts[0]!, customer.phone, customer.key])
      expect(shown).not.toContain(secret);
  });

  test("is named by the log lines of its way", async () => {
    const log = async (name: string) => Bun.file(join(folder, `${name}.log`)).text();
    const lines = (name: string, text: string) =>
      text.split("\n").filter((line) => line.includes(`"trace_id":"${traceId}"`) && line.includes(`"msg":"${name}"`));
    expect(lines("request", await log("api"))).toHaveLength(1);
    expect(lines("job", await log("worker-1-all")).length).toBeGreaterThan(0);
    expect(lines("request", await log("shard")).length).toBeGreaterThan(0);
  });
});

describe("a message from WhatsApp", () => {
  test("starts a trace of its own", async () => {
    const before = delivered.length;
    await platform.simulator.write(customer.contacts[0]!, customer.phone, text);
    const received = () => delivered.slice(before).find(({ event }) => event === "message.received");
    await until(() => received() !== undefined, { what: "the delivery" });
    const traceId = received()!.traceparent!.split("-")[1]!;
    await until(() => spansOf(traceId).some(({ name }) => name === "deliver webhook"), { what: "its span" });
    await until(() => spansOf(traceId).some(({ name }) => name === "receive from WhatsApp"), { what: "the root" });
    const spans = spansOf(traceId);
    expect(
      ancestry(
        spans,
        spans.find(({ name }) => name === "deliver webhook")!,
      ),
    ).toEqual([
      "prosaas-worker-all deliver webhook",
      "prosaas-worker-all event message.received",
      "whatsapp-shard receive from WhatsApp",
      "",
    ]);
    expect(spans.map(({ name }) => name)).toContain("job inbound");
  });
});

describe("a message that is not sampled", () => {
  test("leaves no span and no context", async () => {
    const [traceId, before] = [newTrace(), delivered.length];
    const id = await send(`00-${traceId}-${callersSpan}-00`);
    const announcedAfter = () => delivered.slice(before).filter(({ event }) => event === "message.delivered");
    await until(() => announcedAfter().length === 1, { what: "the delivery" });
    expect(announcedAfter()[0]!.traceparent).toBeNull();
    const [row] = await platform.owner<[{ trace: string | null }]>`select trace from messages where id = ${id}`;
    expect(row.trace).toBeNull();
    expect(spansOf(traceId)).toEqual([]);
  });
});

describe("a collector that is gone", () => {
  test("delays no message", async () => {
    await collector.stop();
    const [traceId, before] = [newTrace(), performance.now()];
    await send(`00-${traceId}-${callersSpan}-01`);
    await until(() => announced("message.delivered", traceId) !== undefined, { what: "the delivery" });
    expect(performance.now() - before).toBeLessThan(30_000);
    const metrics = async () => (await fetch(`${platform.apis[0]!.opsUrl}/metrics`)).text();
    await until(async () => /prosaas_trace_spans_total\{.*outcome="failed"/.test(await metrics()), {
      what: "the count of lost spans",
    });
  });
});
