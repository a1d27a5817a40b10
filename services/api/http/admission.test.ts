import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { receiveBody } from "./admission.ts";
import type { Authenticated } from "./auth/guards.ts";
import { apiLimits } from "./limits.ts";

const large = "x".repeat(100_000);

/** An app that records whose bodies it takes; a large one holds up the next for 50 ms. */
function startApp() {
  const limits = apiLimits();
  const order: string[] = [];
  const app = new Hono<Authenticated>();
  app.use(async (c, next) => {
    const businessId = c.req.header("business") ?? "";
    c.set("principal", { kind: "business", businessId } as Authenticated["Variables"]["principal"]);
    await next();
  });
  app.use(
    receiveBody({ ...limits, bodies: { ...limits.bodies, largeBytesPerS: 2_000_000 } }, createMetrics("test"), 200_000),
  );
  app.post("/", async (c) => {
    order.push(`${c.req.header("business")} ${(await c.req.text()).length}`);
    return c.body(null, 204);
  });
  const post = async (business: string, body: string | ReadableStream) =>
    (await app.request("/", { method: "POST", body, headers: { business } })).status;
  return { post, order };
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
});
