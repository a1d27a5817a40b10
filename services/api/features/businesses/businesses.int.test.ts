import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { createHarness } from "../../testing/harness.ts";
import type { Harness } from "../../testing/harness.ts";
import { sessionOf } from "../../testing/fake_shards.ts";

let api: Harness;
beforeAll(async () => {
  api = await createHarness();
});
afterAll(() => api.close());
beforeEach(() => {
  api.shards.away = false;
});

test("a business is created, read, changed and listed", async () => {
  const created = await api.request("POST", "/v1/businesses", {
    body: { name: "Padaria", time_zone: "America/Sao_Paulo" },
  });
  expect(created.status).toBe(201);
  expect(created.body).toMatchObject({ name: "Padaria", time_zone: "America/Sao_Paulo", whatsapp_shard: null });
  const path = `/v1/businesses/${created.body.id}`;
  expect((await api.request("GET", path)).body).toEqual(created.body);
  const changed = await api.request("PATCH", path, { body: { name: "Aurora" } });
  expect(changed.body).toMatchObject({ id: created.body.id, name: "Aurora", time_zone: "America/Sao_Paulo" });
  expect((await api.request("GET", "/v1/businesses?limit=1")).body.data).toEqual([changed.body]);
});

test("what is wrong with a business is said field by field", async () => {
  const answer = await api.request("POST", "/v1/businesses", { body: { name: "", time_zone: "Mars/Olympus" } });
  expect(answer.status).toBe(400);
  expect(answer.body.errors.map((fault: { field: string }) => fault.field)).toEqual(["name", "time_zone"]);
  const { id } = await api.business();
  expect((await api.request("PATCH", `/v1/businesses/${id}`, { body: {} })).status).toBe(400);
});

test("a business that is not there is 404, whatever its id looks like", async () => {
  for (const id of ["01900000-0000-7000-8000-000000000000", "nonsense", "%00", "'"]) {
    const answer = await api.request("GET", `/v1/businesses/${id}`);
    expect(answer.status, id).toBe(404);
    expect(answer.body.type).toBe("urn:prosaas:problem:not_found");
  }
});

test("a deleted business is logged out, gone for every caller, and its keys end", async () => {
  const { id, key } = await api.business();
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { key, body: { method: "qr" } });
  expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(204);
  expect(api.shards.sessions.has(id)).toBeFalse();
  expect((await api.request("GET", `/v1/businesses/${id}`)).status).toBe(404);
  expect((await api.request("GET", `/v1/businesses/${id}/messages`)).status).toBe(404);
  expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(401);
  expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(404);
});

test("a business stays while its shard cannot log it out", async () => {
  const { id } = await api.business();
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
  api.shards.away = true;
  expect((await api.request("DELETE", `/v1/businesses/${id}`)).status).toBe(503);
  expect((await api.request("GET", `/v1/businesses/${id}`)).status).toBe(200);
});

test("only an admin key creates, lists and deletes businesses", async () => {
  const { id, key } = await api.business();
  expect((await api.request("POST", "/v1/businesses", { key, body: { name: "x" } })).status).toBe(404);
  expect((await api.request("GET", "/v1/businesses", { key })).status).toBe(404);
  expect((await api.request("DELETE", `/v1/businesses/${id}`, { key })).status).toBe(404);
  expect((await api.request("GET", "/v1/admin/shards", { key })).status).toBe(404);
});

test("a key is shown once, and listed without its secret", async () => {
  const { id } = await api.business();
  const made = await api.request("POST", `/v1/businesses/${id}/keys`, {
    body: { scopes: ["messages:read", "messages:read"] },
  });
  expect(made.status).toBe(201);
  expect(made.body.key).toStartWith(`psk_${made.body.prefix}_`);
  expect(made.body.scopes).toEqual(["messages:read"]);
  const listed = await api.request("GET", `/v1/businesses/${id}/keys`);
  expect(listed.body.data[0]).toEqual({
    id: made.body.id,
    prefix: made.body.prefix,
    name: null,
    scopes: ["messages:read"],
    created_at: made.body.created_at,
    expires_at: null,
    last_used_at: null,
  });
  const [row] = await api.database.owner`select * from api_keys where id = ${made.body.id}`;
  expect(JSON.stringify(row)).not.toContain(made.body.key);
});

test("a revoked key is refused", async () => {
  const { id, key } = await api.business();
  const { body } = await api.request("GET", `/v1/businesses/${id}/keys`);
  expect((await api.request("DELETE", `/v1/businesses/${id}/keys/${body.data[0].id}`)).status).toBe(204);
  expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(401);
  expect((await api.request("DELETE", `/v1/businesses/${id}/keys/${body.data[0].id}`)).status).toBe(404);
});

test("a key gives away no scope that it lacks", async () => {
  const { id, key } = await api.business(["keys:write", "messages:read"]);
  const keys = `/v1/businesses/${id}/keys`;
  expect((await api.request("POST", keys, { key, body: { scopes: ["messages:read"] } })).status).toBe(201);
  expect((await api.request("POST", keys, { key, body: { scopes: ["messages:read", "messages:write"] } })).status).toBe(
    403,
  );
});

test("a key is refused unless it is the whole key", async () => {
  const { id, key } = await api.business();
  const wrong = [
    "",
    "nonsense",
    "psk_",
    key.slice(0, -1),
    `${key}x`,
    key.replace(/_[^_]+$/, "_aaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
  ];
  for (const attempt of wrong) {
    const answer = await api.request("GET", `/v1/businesses/${id}`, { key: attempt });
    expect(answer.status, attempt).toBe(401);
    expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  }
});

test("connecting assigns a shard for good, and shows the QR", async () => {
  const { id, key } = await api.business();
  const path = `/v1/businesses/${id}/whatsapp`;
  expect((await api.request("GET", path, { key })).body).toMatchObject({
    status: "disconnected",
    shard: null,
    paired: false,
    live: true,
  });
  expect((await api.request("GET", `${path}/qr.png`, { key })).status).toBe(409);
  const connected = await api.request("POST", `${path}/connect`, { key, body: { method: "qr" } });
  expect(connected.status).toBe(202);
  const { whatsapp_shard } = (await api.request("GET", `/v1/businesses/${id}`, { key })).body;
  expect([1, 2]).toContain(whatsapp_shard);
  expect(connected.body).toMatchObject({ status: "qr", shard: whatsapp_shard, qr: "2@qr-text", live: true });
  const png = await api.app.request(`${path}/qr.png`, { headers: { authorization: `Bearer ${key}` } });
  expect(png.headers.get("content-type")).toBe("image/png");
  expect(png.headers.get("cache-control")).toBe("no-store");
  expect(
    Buffer.from(await png.arrayBuffer())
      .subarray(1, 4)
      .toString(),
  ).toBe("PNG");
  const svg = await api.request("GET", `${path}/qr.svg`, { key });
  expect(svg.headers.get("content-type")).toBe("image/svg+xml");
  expect(svg.body).toContain("<svg");
});

test("a key that may only read does not see the QR or the code: they link a phone", async () => {
  const { id, key } = await api.business(["whatsapp:read"]);
  const path = `/v1/businesses/${id}/whatsapp`;
  await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
  expect((await api.request("GET", path)).body).toMatchObject({ status: "qr", qr: "2@qr-text" });
  const read = await api.request("GET", path, { key });
  expect(read.body).toMatchObject({ status: "qr" });
  expect(read.body).not.toHaveProperty("qr");
  expect((await api.request("GET", `${path}/qr.svg`, { key })).status).toBe(403);
});

test("pairing by code needs a phone", async () => {
  const { id } = await api.business();
  const path = `/v1/businesses/${id}/whatsapp/connect`;
  const refused = await api.request("POST", path, { body: { method: "code" } });
  expect([refused.status, refused.body.errors[0].field]).toEqual([400, "phone"]);
  const connected = await api.request("POST", path, { body: { method: "code", phone: "+5511987654321" } });
  expect(connected.body).toMatchObject({ status: "code", code: "ABCD1234" });
});

test("while the shard cannot be asked, the session is what it said last; 503 if it never said anything", async () => {
  const { id, key } = await api.business();
  const path = `/v1/businesses/${id}/whatsapp`;
  await api.request("POST", `${path}/connect`, { key, body: { method: "qr" } });
  api.shards.away = true;
  expect((await api.request("GET", path, { key })).status).toBe(503);
  await api.database.owner`
    insert into whatsapp_sessions (business_id, shard, status, paired, phone, since, observed_at) values (${id}, 1, 'open', true, '55119', now(), now())`;
  expect((await api.request("GET", path, { key })).body).toMatchObject({ status: "open", phone: "55119", live: false });
});

test("logging out asks the shard, and is done where there is nothing to log out", async () => {
  const { id, key } = await api.business();
  expect((await api.request("DELETE", `/v1/businesses/${id}/whatsapp`, { key })).status).toBe(204);
  await api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { key, body: { method: "qr" } });
  expect((await api.request("DELETE", `/v1/businesses/${id}/whatsapp`, { key })).status).toBe(204);
  expect(api.shards.sessions.has(id)).toBeFalse();
});

test("the administration shows shards and queues", async () => {
  const { id } = await api.business();
  api.shards.sessions.set(id, sessionOf(id, { shard: 2 }));
  const shards = await api.request("GET", "/v1/admin/shards");
  expect(shards.body.data.map((shard: { shard: number }) => shard.shard)).toEqual([1, 2]);
  expect(shards.body.data[1]).toMatchObject({
    address: "http://shard-2",
    healthy: true,
    version: "1.2.3",
    messages_per_minute: 12,
  });
  expect(shards.body.data[1].sessions_open).toBeGreaterThanOrEqual(1);
  api.shards.away = true;
  expect((await api.request("GET", "/v1/admin/shards")).body.data[0]).toMatchObject({
    shard: 1,
    healthy: false,
    sessions: null,
  });
  expect((await api.request("GET", "/v1/admin/queues")).body.data).toEqual([
    { queue: "high", group: "high", waiting: 1, active: 2, delayed: 3, dead: 4, oldest_ms: 5 },
  ]);
});

test("health, readiness and metrics need no key", async () => {
  expect((await api.request("GET", "/health", { key: "" })).status).toBe(200);
  expect((await api.request("GET", "/ready", { key: "" })).body).toMatchObject({ status: "ready" });
  expect((await api.request("GET", "/metrics", { key: "" })).body).toContain("prosaas_api_messages_accepted_total");
});
