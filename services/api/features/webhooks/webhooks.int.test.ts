import { describe, expect, test } from "bun:test";
import { forBusiness, insertDeliveries } from "../../../../lib/db/index.ts";
import { useHarness } from "../../testing/use_harness.ts";
import { createTestWebhooks } from "../../testing/webhooks.ts";

const webhooks = createTestWebhooks();
const api = useHarness({ webhooks });

const hook = { url: "https://example.com/hooks", events: ["message.received", "message.read"] };

async function newWebhook(body: Record<string, unknown> = hook) {
  const { id: business, key } = await api.business();
  const path = `/v1/businesses/${business}/webhooks`;
  const created = await api.request("POST", path, { key, body });
  return { business, key, path, one: `${path}/${created.body.id}`, created };
}

/** Creates deliveries to a webhook; returns their ids, newest first. */
async function createDeliveries(business: string, count: number): Promise<string[]> {
  const scope = forBusiness(api.database.db, business);
  for (let n = 0; n < count; n++) {
    await insertDeliveries(scope, [
      { business_id: business, event: "message.received", chat: "c", at: new Date(), data: { n } },
    ]);
  }
  const rows = await api.database
    .owner`select id from webhook_deliveries where business_id = ${business} order by id desc`;
  return rows.map((row) => String(row["id"]));
}

describe("a webhook", () => {
  test("is created with a secret that is stored encrypted", async () => {
    const { created, one, key } = await newWebhook();
    expect(created.status).toBe(201);
    expect(created.headers.get("cache-control")).toBe("no-store");
    expect(created.body).toMatchObject({
      ...hook,
      status: "active",
      status_reason: null,
      ordered: false,
      max_concurrency: 8,
      description: null,
    });
    expect(created.body.secret).toMatch(/^whsec_/);
    const { secret, ...shown } = created.body;
    expect((await api.request("GET", one, { key })).body).toEqual(shown);
    const [row] = await api.database.owner`select secret from webhooks where id = ${created.body.id}`;
    expect(row!["secret"]).not.toContain(secret.slice(6));
    expect(webhooks.secrets.open(created.body.id, row!["secret"])).toBe(secret);
  });

  test("is created once per Idempotency-Key", async () => {
    const { path, key } = await newWebhook();
    const headers = { "idempotency-key": "hook-1" };
    const [first, second] = [
      await api.request("POST", path, { key, body: hook, headers }),
      await api.request("POST", path, { key, body: hook, headers }),
    ];
    expect(second.body).toEqual(first.body);
    expect((await api.request("GET", path, { key })).body.data).toHaveLength(2);
  });

  test("is rejected if its URL may not be called", async () => {
    const { path, key } = await newWebhook();
    for (const url of [
      "http://example.com/",
      "https://10.0.0.1/",
      "https://[::1]/",
      "https://localhost/",
      "https://a:b@example.com/",
      "nonsense",
    ]) {
      const answer = await api.request("POST", path, { key, body: { ...hook, url } });
      expect(answer.status, url).toBe(400);
      expect(answer.body.errors[0].field).toBe("url");
    }
    for (const body of [
      { ...hook, events: [] },
      { ...hook, events: ["webhook.test"] },
      { ...hook, max_concurrency: 100 },
      {},
    ]) {
      expect((await api.request("POST", path, { key, body })).status).toBe(400);
    }
  });

  test("is limited to 16 per business", async () => {
    const { path, key, one } = await newWebhook();
    const made = await Promise.all(Array.from({ length: 20 }, () => api.request("POST", path, { key, body: hook })));
    expect(made.filter(({ status }) => status === 201)).toHaveLength(15);
    expect(made.filter(({ status }) => status === 409)).toHaveLength(5);
    expect((await api.request("DELETE", one, { key })).status).toBe(204);
    expect((await api.request("GET", one, { key })).status).toBe(404);
    expect((await api.request("DELETE", one, { key })).status).toBe(404);
    expect((await api.request("POST", path, { key, body: hook })).status).toBe(201);
  });

  test("is updated under If-Match and resumed by active", async () => {
    const { one, key, created } = await newWebhook();
    const { etag } = Object.fromEntries((await api.request("GET", one, { key })).headers);
    const changed = await api.request("PATCH", one, {
      key,
      body: { ordered: true, description: "Orders" },
      headers: { "if-match": etag! },
    });
    expect(changed.body).toMatchObject({ ordered: true, description: "Orders", events: hook.events });
    expect(
      (await api.request("PATCH", one, { key, body: { ordered: false }, headers: { "if-match": etag! } })).status,
    ).toBe(412);
    await api.database.owner`
    update webhooks set status = 'paused', status_reason = 'It answered 500.', failures = 9, failing_since = now(),
      next_attempt_at = date_trunc('milliseconds', now()) + interval '1 hour'
    where id = ${created.body.id}`;
    expect((await api.request("GET", one, { key })).body).toMatchObject({
      status: "paused",
      status_reason: "It answered 500.",
    });
    const active = await api.request("PATCH", one, { key, body: { status: "active" } });
    expect(active.body).toMatchObject({ status: "active", status_reason: null, failing_since: null });
    expect(api.woken).toContain(created.body.id);
    expect((await api.request("PATCH", one, { key, body: { url: "https://127.0.0.1/" } })).status).toBe(400);
  });

  test("rotates its secret with an overlap", async () => {
    const { one, key, created } = await newWebhook();
    const rotated = await api.request("POST", `${one}/rotate`, { key, body: { overlap_s: 3_600 } });
    expect(rotated.status).toBe(201);
    expect(rotated.body.secret).not.toBe(created.body.secret);
    expect(Date.parse(rotated.body.old_secret_until)).toBeGreaterThan(Date.now() + 3_500_000);
    const [row] = await api.database.owner`select secret, previous_secret from webhooks where id = ${created.body.id}`;
    expect(webhooks.secrets.open(created.body.id, row!["secret"])).toBe(rotated.body.secret);
    expect(webhooks.secrets.open(created.body.id, row!["previous_secret"])).toBe(created.body.secret);
    expect(
      (await api.request("POST", `${one}/rotate`, { key, body: { overlap_s: 0 } })).body.old_secret_until,
    ).toBeNull();
  });

  test("discards its deliveries when it is deleted", async () => {
    const { business, one, key } = await newWebhook();
    await createDeliveries(business, 2);
    await api.request("DELETE", one, { key });
    expect((await api.request("GET", `${one}/deliveries`, { key })).status).toBe(404);
    const rows = await api.database
      .owner`select status, last_error from webhook_deliveries where business_id = ${business}`;
    expect(rows.map((row) => row["status"])).toEqual(["dead", "dead"]);
  });
});

describe("deliveries", () => {
  test("are listed newest first, with payloads in detail", async () => {
    const { business, one, key } = await newWebhook();
    const ids = await createDeliveries(business, 3);
    await api.database.owner`
    update webhook_deliveries set status = 'dead', next_attempt_at = null, attempts = 12, last_attempt_at = now(),
      last_duration_ms = 31, last_status = 500, last_error = 'It answered 500.' where id = ${ids[0]!}`;
    const { data } = (await api.request("GET", `${one}/deliveries`, { key })).body;
    expect(data.map(({ id }: { id: string }) => id)).toEqual(ids);
    expect(data[0]).toMatchObject({ event: "message.received", status: "dead", attempts: 12 });
    expect(data[0].last_attempt).toMatchObject({ duration_ms: 31, http_status: 500, error: "It answered 500." });
    const dead = await api.request("GET", `${one}/deliveries?status=dead&event=message.received`, { key });
    expect(dead.body.data).toHaveLength(1);
    const detail = (await api.request("GET", `${one}/deliveries/${ids[2]}`, { key })).body;
    expect(detail.payload).toMatchObject({ type: "message.received", data: { business_id: business, n: 0 } });
  });

  test("are replayed one by one or by range", async () => {
    const { business, one, key, created } = await newWebhook();
    const ids = await createDeliveries(business, 4);
    await api.database.owner`
    update webhook_deliveries set status = case when id = ${ids[0]!} then 'delivered' else 'dead' end,
      next_attempt_at = null, attempts = 3
    where business_id = ${business}`;
    expect((await api.request("POST", `${one}/deliveries/${ids[0]}/replay`, { key })).status).toBe(202);
    const range = {
      from: new Date(Date.now() - 60_000).toISOString(),
      to: new Date(Date.now() + 60_000).toISOString(),
    };
    const replayed = await api.request("POST", `${one}/deliveries/replay`, { key, body: range });
    expect(replayed.status).toBe(202);
    expect(replayed.body).toEqual({ replayed: 3, more: false });
    expect(api.woken.filter((id) => id === created.body.id).length).toBeGreaterThan(0);
    const { data } = (await api.request("GET", `${one}/deliveries?status=pending`, { key })).body;
    expect(data.map(({ attempts }: { attempts: number }) => attempts)).toEqual([0, 0, 0, 0]);
    expect(
      (await api.request("POST", `${one}/deliveries/replay`, { key, body: { from: range.to, to: range.from } })).status,
    ).toBe(400);
  });

  test("of test events ignore subscriptions, unless disabled", async () => {
    const { one, key, created } = await newWebhook();
    expect((await api.request("POST", `${one}/test`, { key })).status).toBe(202);
    const { data } = (await api.request("GET", `${one}/deliveries`, { key })).body;
    expect(data).toMatchObject([{ event: "webhook.test", status: "pending" }]);
    expect(api.woken).toContain(created.body.id);
    await api.request("PATCH", one, { key, body: { status: "disabled" } });
    expect((await api.request("POST", `${one}/test`, { key })).status).toBe(409);
  });
});

test("subscribes to events of calls", async () => {
  const events = ["call.started", "call.resumed", "call.ended"];
  const { created } = await newWebhook({ ...hook, events });
  expect([created.status, created.body.events]).toEqual([201, events]);
});
