import { describe, expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

const once = (key: string) => ({ "idempotency-key": key });

describe("rotating a key", () => {
  test("keeps the old key working for the overlap", async () => {
    const { id, key } = await api.business(["keys:read", "keys:write"]);
    const keys = `/v1/businesses/${id}/keys`;
    const [old] = (await api.request("GET", keys, { key })).body.data;
    const rotated = await api.request("POST", `${keys}/${old.id}/rotate`, { key, body: { overlap_s: 60 } });
    expect(rotated.status).toBe(201);
    expect(rotated.body).toMatchObject({ scopes: ["keys:read", "keys:write"], expires_at: null });
    for (const each of [key, rotated.body.key])
      expect((await api.request("GET", keys, { key: each })).status).toBe(200);
    await api.database.owner`update api_keys set expires_at = now() - interval '1 second' where id = ${old.id}`;
    expect((await api.request("GET", keys, { key })).status).toBe(401);
    const left = await api.request("GET", keys, { key: rotated.body.key });
    expect(left.body.data.map((each: { id: string }) => each.id)).toEqual([rotated.body.id]);
  });

  test("can be repeated without changing the expiry", async () => {
    const { id, key } = await api.business();
    const make = async (body: object) =>
      (await api.request("POST", `/v1/businesses/${id}/keys`, { key, body: { scopes: ["messages:read"], ...body } }))
        .body;
    const rotate = async (keyId: string) =>
      (await api.request("POST", `/v1/businesses/${id}/keys/${keyId}/rotate`, { key, body: { overlap_s: 60 } })).body;
    const [endless, ending] = [
      await make({}),
      await make({ expires_at: new Date(Date.now() + 86_400_000).toISOString() }),
    ];
    for (const again of [1, 2]) {
      expect((await rotate(endless.id)).expires_at, `rotation ${again}`).toBeNull();
      expect((await rotate(ending.id)).expires_at, `rotation ${again}`).toBe(ending.expires_at);
    }
  });

  test("ends the old key at once without overlap", async () => {
    const { id, key } = await api.business();
    const [old] = (await api.request("GET", `/v1/businesses/${id}/keys`)).body.data;
    const path = `/v1/businesses/${id}/keys/${old.id}/rotate`;
    expect((await api.request("POST", path, { body: { overlap_s: 0 } })).status).toBe(201);
    expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(401);
    expect((await api.request("POST", path, { body: { overlap_s: 0 } })).status).toBe(404);
  });

  test("is refused without the key's scopes", async () => {
    const { id, key } = await api.business(["keys:write", "keys:read"]);
    const keys = `/v1/businesses/${id}/keys`;
    const strong = await api.request("POST", keys, { body: { scopes: ["messages:write"] } });
    expect((await api.request("POST", `${keys}/${strong.body.id}/rotate`, { key, body: {} })).status).toBe(403);
    const listed = (await api.request("GET", `${keys}?prefix=${strong.body.prefix}`, { key })).body.data;
    expect(listed).toMatchObject([{ id: strong.body.id, expires_at: null }]);
  });
});

test("refuses an expired key", async () => {
  const { id } = await api.business();
  const body = { scopes: ["business:read"], name: "Till", expires_at: new Date(Date.now() + 60_000).toISOString() };
  const made = await api.request("POST", `/v1/businesses/${id}/keys`, { body });
  expect(made.body).toMatchObject({ name: "Till", expires_at: body.expires_at, last_used_at: null });
  expect((await api.request("GET", `/v1/businesses/${id}`, { key: made.body.key })).status).toBe(200);
  await api.database.owner`update api_keys set expires_at = now() - interval '1 second' where id = ${made.body.id}`;
  expect((await api.request("GET", `/v1/businesses/${id}`, { key: made.body.key })).status).toBe(401);
  expect(
    (await api.request("POST", `/v1/businesses/${id}/keys`, { body: { ...body, expires_at: "2020-01-01T00:00:00Z" } }))
      .status,
  ).toBe(400);
});

test("records when a key was last used", async () => {
  const { id, key } = await api.business(["keys:read"]);
  await api.request("GET", `/v1/businesses/${id}/keys`, { key });
  await api.authenticator.recordUse();
  const [seen] = (await api.request("GET", `/v1/businesses/${id}/keys`)).body.data;
  expect(Date.now() - Date.parse(seen.last_used_at)).toBeLessThan(60_000);
});

describe("creating a key", () => {
  test("replays the secret without storing it", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const request = { body: { scopes: ["messages:read"] }, headers: once("new-key") };
    const first = await api.request("POST", keys, request);
    const again = await api.request("POST", keys, request);
    expect(again.body).toEqual(first.body);
    expect(again.headers.get("idempotency-replayed")).toBe("true");
    const [stored] = await api.database.owner`select * from idempotency_keys where business_id = ${id}`;
    expect(JSON.stringify(stored)).not.toContain(first.body.key);
    const other = await api.request("POST", keys, { ...request, body: { scopes: ["messages:write"] } });
    expect(other.status).toBe(422);
  });

  test("replays the secret only to the same caller", async () => {
    const { id, key } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const request = { body: { scopes: ["messages:read"] }, headers: once("mine") };
    expect((await api.request("POST", keys, { ...request, key })).status).toBe(201);
    expect((await api.request("POST", keys, request)).status).toBe(422);
  });

  test("shows the secret once", async () => {
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

  test("grants no scope that the creator lacks", async () => {
    const { id, key } = await api.business(["keys:write", "messages:read"]);
    const keys = `/v1/businesses/${id}/keys`;
    expect((await api.request("POST", keys, { key, body: { scopes: ["messages:read"] } })).status).toBe(201);
    expect(
      (await api.request("POST", keys, { key, body: { scopes: ["messages:read", "messages:write"] } })).status,
    ).toBe(403);
  });
});

test("admin keys are managed but never revoke themselves", async () => {
  const made = await api.request("POST", "/v1/admin/keys", { body: { name: "Second" } });
  expect(made.status).toBe(201);
  const key = made.body.key;
  expect((await api.request("GET", `/v1/admin/keys?prefix=${made.body.prefix}`, { key })).body.data).toMatchObject([
    { name: "Second" },
  ]);
  expect((await api.request("DELETE", `/v1/admin/keys/${made.body.id}`, { key })).status).toBe(409);
  const rotated = await api.request("POST", `/v1/admin/keys/${made.body.id}/rotate`, { body: { overlap_s: 0 } });
  expect(rotated.status).toBe(201);
  expect((await api.request("GET", "/v1/admin/keys", { key })).status).toBe(401);
  expect((await api.request("DELETE", `/v1/admin/keys/${rotated.body.id}`)).status).toBe(204);
  expect((await api.request("GET", "/v1/admin/keys", { key: rotated.body.key })).status).toBe(401);
});

test("lists admin and business keys separately", async () => {
  const { id } = await api.business();
  const admin = (await api.request("POST", "/v1/admin/keys", { body: {} })).body;
  const [own] = (await api.request("GET", `/v1/businesses/${id}/keys`)).body.data;
  expect((await api.request("DELETE", `/v1/businesses/${id}/keys/${admin.id}`)).status).toBe(404);
  expect((await api.request("DELETE", `/v1/admin/keys/${own.id}`)).status).toBe(404);
  expect((await api.request("POST", `/v1/admin/keys/${own.id}/rotate`, { body: {} })).status).toBe(404);
});

test("refuses a revoked key", async () => {
  const { id, key } = await api.business();
  const { body } = await api.request("GET", `/v1/businesses/${id}/keys`);
  expect((await api.request("DELETE", `/v1/businesses/${id}/keys/${body.data[0].id}`)).status).toBe(204);
  expect((await api.request("GET", `/v1/businesses/${id}`, { key })).status).toBe(401);
  expect((await api.request("DELETE", `/v1/businesses/${id}/keys/${body.data[0].id}`)).status).toBe(404);
});

test("refuses malformed and truncated keys", async () => {
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
