import { describe, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { bodyOf } from "../../../../lib/api-client/index.ts";
import type { ApiFailure } from "../../../../lib/api-client/index.ts";
import { createConsul } from "../../../../lib/consul/client.ts";
import { callLimitKey } from "../../../../lib/calls/limit.ts";
import { forBusiness, recordCall, recordRecording } from "../../../../lib/db/index.ts";
import type { EndedCall } from "../../../../lib/db/index.ts";
import { createCallCapacity } from "../../../../lib/calls/capacity.ts";
import { createRedis } from "../../../../lib/redis/client.ts";
import { testConsulAddr, testRedisUrl } from "../../../../lib/testing/servers.ts";
import { createLiveCalls } from "../../backend/live_calls.ts";
import { createHarness } from "../../testing/harness.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

const sid = (kind: string) => `${kind}${randomBytes(16).toString("hex")}`;
const ended = (more: Partial<EndedCall> = {}): EndedCall => ({
  call_sid: sid("CA"),
  direction: "inbound",
  from_number: "+15550000001",
  to_number: "+15550000002",
  status: "completed",
  streams: 1,
  transferred_to: null,
  started_at: new Date("2026-01-01T00:00:00Z"),
  answered_at: new Date("2026-01-01T00:00:02Z"),
  ended_at: new Date("2026-01-01T00:01:00Z"),
  duration_s: 58,
  ...more,
});
const failureOf = async (call: Promise<unknown>) =>
  (await call.then(
    () => undefined,
    (error: unknown) => error,
  )) as ApiFailure;

describe("calls", () => {
  test("are listed newest first, with recordings in detail", async () => {
    const { id: business_id, key } = await api.business(["calls:read"]);
    const scope = forBusiness(api.database.db, business_id);
    const rows = [0, 1, 1, 2].map((minute) => ended({ started_at: new Date(Date.UTC(2026, 0, 1, 0, minute)) }));
    for (const row of rows) await recordCall(scope, row);
    await recordCall(scope, ended({ direction: "outbound", status: "busy", answered_at: null, duration_s: 0 }));
    const recording = {
      recording_sid: sid("RE"),
      call_sid: rows[3]!.call_sid,
      url: "https://carrier/re",
      duration_s: 5,
      channels: 2,
    };
    await recordRecording(scope, recording);

    const client = api.client(key);
    const path = { business_id };
    const seen: string[] = [];
    let cursor: string | undefined;
    do {
      const query = { direction: "inbound" as const, limit: 3, cursor };
      const page = await bodyOf(client.GET("/v1/businesses/{business_id}/calls", { params: { path, query } }));
      seen.push(...page.data.map(({ started_at }) => started_at.slice(14, 16)));
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
    expect(seen).toEqual(["02", "01", "01", "00"]);

    const call_sid = rows[3]!.call_sid;
    const call = await bodyOf(
      client.GET("/v1/businesses/{business_id}/calls/{call_sid}", { params: { path: { business_id, call_sid } } }),
    );
    expect(call).toMatchObject({ call_sid, from: "+15550000001", status: "completed", duration_s: 58 });
    expect(call.recordings).toMatchObject([
      { recording_sid: recording.recording_sid, status: "pending", duration_s: 5 },
    ]);
    expect(JSON.stringify(call)).not.toContain("carrier/re");
  });

  test("in progress are visible to their business only", async () => {
    const [mine, other] = [await api.business(), await api.business()];
    const call_sid = sid("CA");
    api.liveCalls.calls.set(call_sid, {
      business_id: mine.id,
      direction: "inbound",
      from: "+15550000001",
      to: "+15550000002",
      status: "in-progress",
      step: "streaming",
      stream: 2,
      started_at: Date.UTC(2026, 0, 1),
      answered_at: null,
    });
    const ask = (business: { id: string; key: string }) =>
      bodyOf(
        api.client(business.key).GET("/v1/businesses/{business_id}/calls/{call_sid}", {
          params: { path: { business_id: business.id, call_sid } },
        }),
      );
    expect(await ask(mine)).toMatchObject({ status: "in_progress", streams: 2, ended_at: null, recordings: [] });
    const active = async (business: { id: string; key: string }) => {
      const params = { path: { business_id: business.id } };
      return (await bodyOf(api.client(business.key).GET("/v1/businesses/{business_id}/calls/active", { params }))).data;
    };
    expect(await active(mine)).toMatchObject([{ call_sid, status: "in_progress" }]);
    expect(await active(other)).toEqual([]);
    expect((await failureOf(ask(other))).status).toBe(404);
  });

  test("are created once per Idempotency-Key and need slots", async () => {
    const { id: business_id, key } = await api.business(["calls:write"]);
    const place = (idempotencyKey?: string) =>
      api.client(key).POST("/v1/businesses/{business_id}/calls", {
        params: { path: { business_id }, header: { "idempotency-key": idempotencyKey } },
        body: { from: "15550009010", to: "+15550009011" },
      });
    const first = await place("order-1");
    expect(first.response.status).toBe(202);
    expect(api.calls.placed.get(first.data!.call_sid)).toEqual({
      business_id,
      from: "+15550009010",
      to: "+15550009011",
    });
    const again = await place("order-1");
    expect(again.data).toEqual(first.data);
    expect(again.response.headers.get("idempotency-replayed")).toBe("true");
    expect((await place()).data).not.toEqual(first.data);
    api.calls.full = true;
    expect(await failureOf(place())).toMatchObject({ status: 503, retryAfterS: 5 });
    api.calls.full = false;
    const reader = await api.business(["calls:read"]);
    const other = api.client(reader.key).POST("/v1/businesses/{business_id}/calls", {
      params: { path: { business_id: reader.id } },
      body: { from: "15550009010", to: "+15550009011" },
    });
    expect((await failureOf(other)).status).toBe(403);
  });

  test("have a load and a limit for all replicas", async () => {
    const redis: Redis = createRedis(testRedisUrl("api"), "command");
    const ofCalls = createRedis(testRedisUrl("calls"), "command");
    const consul = createConsul({ addr: testConsulAddr() });
    await consul.api.kv.del(callLimitKey);
    // Leases of earlier files end at any time.
    await ofCalls.del("prosaas:{calls}:active");
    const capacity = createCallCapacity({ redis: ofCalls, leaseMs: 60_000, recoveryMs: 0 });
    const counting = createCallCapacity({ redis, leaseMs: 60_000, recoveryMs: 0 });
    const own = await createHarness({
      liveCalls: createLiveCalls({ redis, consul, capacity: counting, firstLimit: 7 }),
    });
    try {
      const load = () => bodyOf(own.client().GET("/v1/admin/calls"));
      const before = await load();
      expect(before.max_concurrent).toBe(7);
      const { id: business_id, key } = await own.business();
      const callSid = sid("CA");
      await capacity.announce();
      await capacity.admit({ callSid, businessId: business_id, limits: { all: 1_000, business: null } });
      await ofCalls.hset(`prosaas:{calls}:call:${callSid}`, {
        business_id,
        direction: "outbound",
        from: "+15550000002",
        to: "+15550000001",
        status: "ringing",
        step: "placed",
        stream: 0,
        started_at: 1,
        answered_at: "",
      });
      expect((await load()).active).toBe(before.active + 1);
      const path = { business_id, call_sid: callSid };
      expect(
        await bodyOf(own.client(key).GET("/v1/businesses/{business_id}/calls/{call_sid}", { params: { path } })),
      ).toMatchObject({
        status: "ringing",
        answered_at: null,
      });
      expect(await bodyOf(own.client().PUT("/v1/admin/calls/limit", { body: { max_concurrent: 0 } }))).toMatchObject({
        max_concurrent: 0,
      });
      expect((await load()).max_concurrent).toBe(0);
      await capacity.release({ callSid, businessId: business_id });
      await ofCalls.del(`prosaas:{calls}:call:${callSid}`);
    } finally {
      await consul.api.kv.del(callLimitKey);
      await own.close();
      redis.disconnect();
      ofCalls.disconnect();
    }
  });
});

test("phone numbers are assigned to one business by admins", async () => {
  const [mine, other] = [await api.business(), await api.business()];
  const assign = (business_id: string, number: string, key?: string) =>
    api
      .client(key)
      .PUT("/v1/businesses/{business_id}/phone_numbers/{number}", { params: { path: { business_id, number } } });
  await assign(mine.id, "15550009001");
  await assign(mine.id, "+15550009001");
  expect((await failureOf(assign(other.id, "15550009001"))).status).toBe(409);
  expect((await failureOf(assign(mine.id, "15550009002", mine.key))).status).toBe(404);
  expect((await failureOf(assign(mine.id, "nonsense"))).status).toBe(400);
  const path = { business_id: mine.id };
  const { data } = await bodyOf(
    api.client(mine.key).GET("/v1/businesses/{business_id}/phone_numbers", { params: { path } }),
  );
  expect(data.map(({ number }) => number)).toEqual(["+15550009001"]);
  const release = () =>
    api.client().DELETE("/v1/businesses/{business_id}/phone_numbers/{number}", {
      params: { path: { ...path, number: "15550009001" } },
    });
  await release();
  expect((await failureOf(release())).status).toBe(404);
  await assign(other.id, "15550009001");
});

test("call settings require a consent line for recordings", async () => {
  const { id: business_id, key } = await api.business();
  const params = { path: { business_id } };
  const read = () => bodyOf(api.client(key).GET("/v1/businesses/{business_id}/call_settings", { params }));
  const limits = { max_concurrent: null, allowed_destinations: null, max_per_day: null };
  expect(await read()).toEqual({ ...limits, record: false, consent_line: null });
  const settings = { record: true, consent_line: "This call is recorded." };
  await api.client(key).PUT("/v1/businesses/{business_id}/call_settings", { params, body: settings });
  expect(await read()).toEqual({ ...limits, ...settings });
  const silent = await failureOf(
    api.client(key).PUT("/v1/businesses/{business_id}/call_settings", { params, body: { record: true } }),
  );
  expect(silent.problem?.errors).toMatchObject([{ field: "consent_line" }]);
});

test("only admin keys set max_concurrent", async () => {
  const { id: business_id, key } = await api.business();
  const params = { path: { business_id } };
  const set = (body: { record: boolean; max_concurrent?: number | null }, as?: string) =>
    bodyOf(api.client(as).PUT("/v1/businesses/{business_id}/call_settings", { params, body }));
  expect((await set({ record: false, max_concurrent: 3 })).max_concurrent).toBe(3);
  for (const max_concurrent of [null, 3, 1000]) {
    expect((await failureOf(set({ record: false, max_concurrent }, key))).status).toBe(403);
  }
  expect((await set({ record: false }, key)).max_concurrent).toBe(3);
});

describe("limits on placed calls", () => {
  test("are set by admin keys and kept when omitted", async () => {
    const { id: business_id, key } = await api.business();
    const params = { path: { business_id } };
    const put = (body: { allowed_destinations?: string[] | null; max_per_day?: number | null }, as?: string) =>
      bodyOf(
        api.client(as).PUT("/v1/businesses/{business_id}/call_settings", { params, body: { record: false, ...body } }),
      );
    const limits = { allowed_destinations: ["own", "!+4490"], max_per_day: 5 };
    expect(await put(limits)).toMatchObject(limits);
    expect(await put({}, key)).toMatchObject(limits);
    expect((await failureOf(put({ allowed_destinations: ["*"] }, key))).status).toBe(403);
    expect((await failureOf(put({ max_per_day: null }, key))).status).toBe(403);
    expect((await failureOf(put({ allowed_destinations: ["44"] }))).status).toBe(400);
    expect(await put({ allowed_destinations: null, max_per_day: null })).toMatchObject({
      allowed_destinations: null,
      max_per_day: null,
    });
  });
});
