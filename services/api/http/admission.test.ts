import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { AppError } from "../../../lib/core/errors.ts";
import { answersWithin } from "../../../lib/runtime/deadline.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { problems } from "../../../lib/runtime/problem.ts";
import { until } from "../../../lib/testing/until.ts";
import { receiveBody } from "./admission.ts";
import type { Authenticated } from "./auth/guards.ts";
import { apiLimits } from "./limits.ts";
import type { ApiLimits } from "./limits.ts";

const large = "x".repeat(100_000);

/** An app that records whose bodies it takes; by default, a large one holds up the next for 50 ms. */
function startApp(changes: Partial<ApiLimits["bodies"]> = {}, responseMs = 9_000) {
  const limits = apiLimits();
  const bodies = { ...limits.bodies, largeBytesPerS: 2_000_000, ...changes };
  const order: string[] = [];
  const refusals: string[] = [];
  const app = new Hono<Authenticated>();
  app.use(async (c, next) => {
    const businessId = c.req.header("business") ?? "";
    c.set("principal", { kind: "business", businessId } as Authenticated["Variables"]["principal"]);
    await next();
  });
  app.onError((error, c) => {
    refusals.push(error.message);
    return c.body(null, error instanceof AppError ? problems[error.code].status : 500);
  });
  app.use(answersWithin(() => responseMs));
  app.use(receiveBody({ ...limits, bodies }, createMetrics("test"), 200_000));
  app.post("/", async (c) => {
    order.push(`${c.req.header("business")} ${(await c.req.text()).length}`);
    return c.body(null, 204);
  });
  const post = async (business: string, body: string | ReadableStream, headers: Record<string, string> = {}) =>
    (await app.request("/", { method: "POST", body, headers: { business, ...headers } })).status;
  return { post, order, refusals };
}

describe("large bodies", () => {
  test("of several businesses take turns", async () => {
    const { post, order } = startApp();
    const floods = Array.from({ length: 5 }, () => post("flood", large));
    const other = post("other", large);
    expect(await Promise.all([...floods, other])).toEqual([204, 204, 204, 204, 204, 204]);
    expect(order.indexOf("other 100000")).toBeLessThanOrEqual(2);
  });

  test("hold up no small body", async () => {
    const { post, order } = startApp();
    const floods = Array.from({ length: 4 }, () => post("flood", new Blob([large]).stream()));
    expect(await post("flood", "small")).toBe(204);
    await Promise.all(floods);
    expect(order.indexOf("flood 5")).toBeLessThanOrEqual(1);
  });

  test("keep their slots while they wait for a turn", async () => {
    const { post } = startApp({ largeBytesPerS: 10_000, maxTurnWaitMs: 2_000 });
    expect(await post("flood", large)).toBe(204);
    let received = 0;
    const counted = () =>
      new ReadableStream({
        pull: (controller) => {
          controller.enqueue(Buffer.from(large));
          controller.close();
          received += 1;
        },
      });
    const waiting = Array.from({ length: 64 }, () => post("flood", counted()));
    await until(() => received === 64, { what: "64 bodies", everyMs: 1 });
    expect(await post("flood", large)).toBe(429);
    expect(await post("other", "small")).toBe(204);
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([503]));
    expect(await post("flood", "small")).toBe(204);
  });
});

/** A body that its sender never completes. */
function startStalledBody() {
  let end = () => {};
  let isCancelled = false;
  const body = new ReadableStream({
    start: (controller) => {
      end = () => controller.close();
    },
    cancel: () => {
      isCancelled = true;
    },
  });
  return { body, end: () => end(), isCancelled: () => isCancelled };
}

describe("stalled bodies", () => {
  test("of unknown length are cancelled at their deadline", async () => {
    const { post } = startApp({ deadlineMs: 50 });
    const stalled = startStalledBody();
    expect(await post("slow", stalled.body)).toBe(408);
    expect(stalled.isCancelled()).toBeTrue();
  });

  test("hold their slot until the reading ends", async () => {
    const { post } = startApp({ deadlineMs: 50, total: 1, share: 1, reserved: 0 });
    const stalled = startStalledBody();
    expect(await post("slow", stalled.body, { "content-length": "10" })).toBe(408);
    expect(await post("other", "small")).toBe(503);
    stalled.end();
    await until(async () => (await post("other", "small")) === 204, { what: "the slot" });
  });

  test("end before the response is due", async () => {
    const { post } = startApp({}, 700);
    expect(await post("slow", startStalledBody().body)).toBe(408);
  });
});

describe("the wait for a turn", () => {
  test("ends before the response is due", async () => {
    const { post, refusals } = startApp({ largeBytesPerS: 10_000 }, 700);
    expect(await post("flood", large)).toBe(204);
    expect(await post("flood", large)).toBe(503);
    expect(refusals).toEqual(["Too many large request bodies are in progress. Retry shortly."]);
  });
});
