import { describe, expect, test } from "bun:test";
import { parseNetworks } from "../../../lib/core/networks.ts";
import { generateKey } from "../../../lib/db/keys/api_key.ts";
import { maxKeys } from "../../../lib/db/index.ts";
import { maxFailedLogins } from "./auth/failed_logins.ts";
import { useHarness } from "../testing/use_harness.ts";
import type { Answer } from "../testing/harness.ts";

const api = useHarness({ edge: parseNetworks(["127.0.0.0/8"]), keys: { ttlMs: 0 } });

const inOneHour = () => new Date(Date.now() + 3_600_000).toISOString();
const inTwoHours = () => new Date(Date.now() + 7_200_000).toISOString();

describe("a key that expires", () => {
  test("creates keys that expire no later", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const scopes = ["keys:write", "messages:read"];
    const parent = (await api.request("POST", keys, { body: { scopes, expires_at: inOneHour() } })).body;
    const child = (body: object) =>
      api.request("POST", keys, { key: parent.key, body: { scopes: ["messages:read"], ...body } });
    expect((await child({})).body.expires_at).toBe(parent.expires_at);
    expect((await child({ expires_at: parent.expires_at })).status).toBe(201);
    expect((await child({ expires_at: inTwoHours() })).status).toBe(403);
  });

  test("of the platform creates none that expires later", async () => {
    const parent = (await api.request("POST", "/v1/admin/keys", { body: { expires_at: inOneHour() } })).body;
    const { id } = await api.business();
    const admin = await api.request("POST", "/v1/admin/keys", { key: parent.key, body: {} });
    const business = await api.request("POST", `/v1/businesses/${id}/keys`, {
      key: parent.key,
      body: { scopes: ["messages:read"] },
    });
    expect([admin.body.expires_at, business.body.expires_at]).toEqual([parent.expires_at, parent.expires_at]);
    const later = { key: parent.key, body: { expires_at: inTwoHours() } };
    expect((await api.request("POST", "/v1/admin/keys", later)).status).toBe(403);
  });

  test("creates none that expires later in the console", async () => {
    const parent = (await api.request("POST", "/v1/admin/keys", { body: { expires_at: inOneHour() } })).body;
    const signedIn = await api.request("POST", "/v1/console/session", { key: parent.key });
    expect(signedIn.body.expires_at).toBe(parent.expires_at);
    const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
    const headers = { cookie, origin: "https://api.example.com" };
    const child = await api.request("POST", "/v1/admin/keys", { key: "", headers, body: {} });
    expect(child.body.expires_at).toBe(parent.expires_at);
  });

  test("keeps its expiry when it rotates itself", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const first = (await api.request("POST", keys, { body: { scopes: ["keys:write"], expires_at: inOneHour() } })).body;
    let current = first;
    for (let n = 0; n < 3; n++) {
      const rotated = await api.request("POST", `${keys}/${current.id}/rotate`, {
        key: current.key,
        body: { overlap_s: 60 },
      });
      expect([rotated.status, rotated.body.expires_at]).toEqual([201, first.expires_at]);
      current = rotated.body;
    }
  });

  test("rotates no key that expires later", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const endless = (await api.request("POST", keys, { body: { scopes: ["messages:read"] } })).body;
    const caller = (
      await api.request("POST", keys, { body: { scopes: ["keys:write", "messages:read"], expires_at: inOneHour() } })
    ).body;
    const rotate = `${keys}/${endless.id}/rotate`;
    expect((await api.request("POST", rotate, { key: caller.key, body: { overlap_s: 0 } })).status).toBe(403);
    const [listed] = (await api.request("GET", `${keys}?prefix=${endless.prefix}`)).body.data;
    expect(listed).toMatchObject({ id: endless.id, expires_at: null });
  });
});

describe("keys:write", () => {
  test("revokes only keys whose scopes are a subset", async () => {
    const { id, key } = await api.business(["keys:write", "messages:read"]);
    const keys = `/v1/businesses/${id}/keys`;
    const strong = (await api.request("POST", keys, { body: { scopes: ["messages:read", "messages:write"] } })).body;
    const weak = (await api.request("POST", keys, { body: { scopes: ["messages:read"] } })).body;
    expect((await api.request("DELETE", `${keys}/${strong.id}`, { key })).status).toBe(403);
    expect((await api.request("GET", `${keys}?prefix=${strong.prefix}`)).body.data).toHaveLength(1);
    expect((await api.request("DELETE", `${keys}/${weak.id}`, { key })).status).toBe(204);
    expect((await api.request("DELETE", `${keys}/${strong.id}`)).status).toBe(204);
  });
});

/** Runs ten at a time, the size of the pool: more would exceed the deadline while they wait for a connection. */
async function inTens(count: number, ask: () => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = [];
  const lane = async () => {
    while (count-- > 0) answers.push(await ask());
  };
  await Promise.all(Array.from({ length: 10 }, lane));
  return answers;
}

describe("the keys of a business", () => {
  test("are capped under concurrent creation", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const make = () => api.request("POST", keys, { body: { scopes: ["messages:read"] } });
    // The harness created one with the business.
    const answers = await inTens(maxKeys + 4, make);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(maxKeys - 1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
    const [one] = (await api.request("GET", keys)).body.data;
    expect((await api.request("POST", `${keys}/${one.id}/rotate`, { body: { overlap_s: 60 } })).status).toBe(201);
    expect((await make()).status).toBe(409);
  });

  test("are capped under repeated rotation", async () => {
    const { id } = await api.business();
    const keys = `/v1/businesses/${id}/keys`;
    const [one] = (await api.request("GET", keys)).body.data;
    const rotate = () => api.request("POST", `${keys}/${one.id}/rotate`, { body: { overlap_s: 3_600 } });
    const answers = await inTens(2 * maxKeys + 4, rotate);
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(2 * maxKeys - 1);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(5);
  });
});

describe("unknown keys from one address", () => {
  /** A request over a connection from `peer`. */
  const from = (peer: string, key: string, forwarded?: string) =>
    api.app.request(
      "/v1/me-or-nothing",
      {
        headers: {
          authorization: `Bearer ${key}`,
          ...(forwarded === undefined ? {} : { "x-forwarded-for": forwarded }),
        },
      },
      { requestIP: () => ({ address: peer }) },
    );
  const fail = async (peer: string, forwarded?: string) => {
    for (let n = 0; n < maxFailedLogins; n++) expect((await from(peer, generateKey().key, forwarded)).status).toBe(401);
    const refused = await from(peer, generateKey().key, forwarded);
    expect([refused.status, Number(refused.headers.get("retry-after")) > 0]).toEqual([429, true]);
  };

  test("are rate-limited by X-Forwarded-For of the edge", async () => {
    await fail("127.0.0.1", "203.0.113.7");
    expect((await from("127.0.0.1", generateKey().key, "203.0.113.8")).status).toBe(401);
  });

  test("are counted by peer outside the edge", async () => {
    for (let n = 0; n < maxFailedLogins; n++) await from("198.51.100.1", generateKey().key, `203.0.113.${n}`);
    expect((await from("198.51.100.1", generateKey().key, "192.0.2.1")).status).toBe(429);
  });

  test("do not block a cached valid key", async () => {
    const { key } = await api.business();
    expect((await from("198.51.100.9", key)).status).toBe(404);
    await fail("198.51.100.9");
    expect((await from("198.51.100.9", key)).status).toBe(404);
  });
});
