import { describe, expect, test } from "bun:test";
import { callsToken, someNumber } from "./testing/stack.ts";
import { useCalls } from "./testing/use_calls.ts";

const stage = useCalls();
const { heard, row } = stage;

const orderCall = (body: Record<string, unknown>, token = callsToken, key?: string) =>
  fetch(`${stage.stack.internalUrl()}/calls`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      ...(key === undefined ? {} : { "idempotency-key": key }),
    },
    body: JSON.stringify(body),
  });

describe("an outbound call", () => {
  test("has one slot if answered at once", async () => {
    const business = await stage.stack.business({ max_concurrent: 1 });
    const to = someNumber();
    stage.stack.carrier.setCallee(to, { outcome: "answer", ringMs: 0 });
    for (let i = 0; i < 5; i++) {
      const answer = await orderCall({ business_id: business.scope.businessId, from: business.number, to });
      expect(answer.status).toBe(201);
      const call = stage.stack.carrier.get(((await answer.json()) as { call_sid: string }).call_sid)!;
      await heard(call, "greeting");
      expect(await stage.stack.capacity.count()).toBe(1);
      call.hangUp();
      await row(business, call);
    }
  });

  test("rings, is answered and talks", async () => {
    const business = await stage.stack.business();
    const to = someNumber();
    const answer = await orderCall({ business_id: business.scope.businessId, from: business.number, to });
    expect(answer.status).toBe(201);
    const { call_sid } = (await answer.json()) as { call_sid: string };
    const call = stage.stack.carrier.get(call_sid)!;
    expect(await stage.stack.capacity.count()).toBe(1);
    await heard(call, "greeting");
    expect(await stage.stack.capacity.count()).toBe(1);
    call.hangUp();
    expect(await row(business, call)).toMatchObject({
      direction: "outbound",
      from_number: business.number,
      to_number: to,
      status: "completed",
    });
  });

  test.each([
    ["busy", "busy"],
    ["no-answer", "no_answer"],
    ["failed", "failed"],
  ] as const)("that ends %s frees its slot", async (outcome, status) => {
    const business = await stage.stack.business();
    const to = someNumber();
    stage.stack.carrier.setCallee(to, { outcome, ringMs: 20 });
    const { call_sid } = (await (
      await orderCall({ business_id: business.scope.businessId, from: business.number, to })
    ).json()) as {
      call_sid: string;
    };
    expect(await row(business, stage.stack.carrier.get(call_sid)!)).toMatchObject({
      status,
      streams: 0,
      duration_s: 0,
    });
    expect(await stage.stack.capacity.count()).toBe(0);
  });

  test("requires token, own number and a slot", async () => {
    const business = await stage.stack.business({ max_concurrent: 1 });
    const other = await stage.stack.business();
    const body = { business_id: business.scope.businessId, from: business.number, to: someNumber() };
    expect((await orderCall({ ...body, from: other.number })).status).toBe(404);
    expect((await orderCall({ ...body, from: "12" })).status).toBe(400);
    expect((await orderCall({ ...body, more: 1 })).status).toBe(400);
    expect((await orderCall(body, "wrong")).status).toBe(401);
    stage.stack.carrier.faults.add({ kind: "rate_limited", times: 1 });
    expect((await orderCall(body)).status).toBe(429);
    expect(await stage.stack.capacity.count()).toBe(0);
    expect((await orderCall(body)).status).toBe(201);
    const full = await orderCall({ ...body, to: someNumber() });
    expect(full.status).toBe(503);
    expect(full.headers.get("retry-after")).toBe("5");
  });

  test("is dialled once for concurrent orders", async () => {
    const business = await stage.stack.business();
    const body = { business_id: business.scope.businessId, from: business.number, to: someNumber() };
    const before = stage.stack.carrier.calls().length;
    const answers = await Promise.all([1, 2, 3, 4].map(() => orderCall(body, callsToken, "order-1")));
    // Orders during the first one get a conflict.
    expect(answers.map(({ status }) => status).filter((status) => status !== 409)).toContain(201);
    const again = (await (await orderCall(body, callsToken, "order-1")).json()) as {
      call_sid: string;
      replayed: boolean;
    };
    expect(again.replayed).toBeTrue();
    expect(stage.stack.carrier.calls()).toHaveLength(before + 1);
    expect((await orderCall({ ...body, to: someNumber() }, callsToken, "order-1")).status).toBe(422);
    expect((await orderCall(body, callsToken, "a key with spaces")).status).toBe(400);

    // An order that the carrier refused may be repeated with the same key.
    stage.stack.carrier.faults.add({ kind: "rate_limited", times: 1 });
    expect((await orderCall(body, callsToken, "order-2")).status).toBe(429);
    expect((await orderCall(body, callsToken, "order-2")).status).toBe(201);
  });

  test.each(["late", "doubled", "reversed"] as const)("ends once after callbacks that come %s", async (mode) => {
    const business = await stage.stack.business();
    stage.stack.carrier.faults.add({ kind: "status", mode, ms: 300 });
    const to = someNumber();
    const { call_sid } = (await (
      await orderCall({ business_id: business.scope.businessId, from: business.number, to })
    ).json()) as {
      call_sid: string;
    };
    const call = stage.stack.carrier.get(call_sid)!;
    await heard(call, "greeting");
    call.hangUp();
    expect(await row(business, call)).toMatchObject({ status: "completed" });
    expect((await stage.stack.store.read(call_sid)).call).toMatchObject({ step: "ended", status: "completed" });
  });
});
