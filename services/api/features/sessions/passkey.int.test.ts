import { describe, expect, test } from "bun:test";
import type { PasskeyView } from "../../../../lib/contracts/shard/index.ts";
import { sessionOf } from "../../testing/fake_shards.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();
const assertion = {
  id: "AAAA",
  rawId: "AAAA",
  type: "public-key",
  authenticatorAttachment: "platform",
  clientExtensionResults: {},
  response: { clientDataJSON: "e30", authenticatorData: "AAAA", signature: "AAAA", userHandle: null },
};
const options = { challenge: "c2VjcmV0", rpId: "whatsapp.com", allowCredentials: [] };
const expires_at = "2026-03-01T12:00:00.000Z";

/** A business whose link waits at a step, and the path of its session. */
async function waiting(passkey: Partial<PasskeyView>, scopes?: string[]) {
  const { id, key } = await api.business(scopes);
  const path = `/v1/businesses/${id}/whatsapp`;
  await api.request("POST", `${path}/connect`, { body: { method: "qr" } });
  const view = { step: "assertion" as const, expires_at, ...passkey };
  api.shards.sessions.set(id, sessionOf(id, { status: "passkey", passkey: view }));
  return { id, key, path };
}

describe("a session that requires a passkey", () => {
  test("shows the request to keys that may pair", async () => {
    const { key, path } = await waiting({ options, reason: "refused" });
    const { body } = await api.request("GET", path, { key });
    expect(body).toMatchObject({ status: "passkey", passkey: { step: "assertion", options, reason: "refused" } });
  });

  test("hides request and code from read-only keys", async () => {
    const { key, path } = await waiting({ options, code: "7K2M-QX4P" }, ["whatsapp:read"]);
    const { body } = await api.request("GET", path, { key });
    expect(body.passkey).toEqual({ step: "assertion", expires_at, reason: null });
    for (const [step, json] of [
      ["assertion", assertion],
      ["confirm", { code: "7K2M-QX4P" }],
    ])
      expect((await api.request("POST", `${path}/passkey/${step as string}`, { key, body: json })).status).toBe(403);
  });

  test("takes the assertion, then the confirmation", async () => {
    const { id, key, path } = await waiting({ options });
    const approved = await api.request("POST", `${path}/passkey/assertion`, { key, body: assertion });
    expect([approved.status, approved.body.passkey.step]).toEqual([202, "phone"]);
    expect(approved.body.passkey).not.toHaveProperty("options");
    const passkey = { step: "confirmation" as const, code: "7K2M-QX4P", expires_at };
    api.shards.sessions.set(id, sessionOf(id, { status: "passkey", passkey }));
    const confirmed = await api.request("POST", `${path}/passkey/confirm`, { key, body: { code: "7K2M-QX4P" } });
    expect([confirmed.status, confirmed.body.passkey.step]).toEqual([202, "linking"]);
  });

  test("is out of reach for other tenants", async () => {
    const { path } = await waiting({ options });
    const { key } = await api.business();
    const calls = api.shards.calls.length;
    expect((await api.request("GET", path, { key })).status).toBe(404);
    expect((await api.request("POST", `${path}/passkey/assertion`, { key, body: assertion })).status).toBe(404);
    expect((await api.request("POST", `${path}/passkey/confirm`, { key, body: { code: "7K2M-QX4P" } })).status).toBe(
      404,
    );
    expect(api.shards.calls.length).toBe(calls);
  });
});

describe("an assertion", () => {
  test("is a conflict without a session", async () => {
    const { id, key } = await api.business();
    const path = `/v1/businesses/${id}/whatsapp/passkey/assertion`;
    const refused = await api.request("POST", path, { key, body: assertion });
    expect([refused.status, refused.body.detail]).toEqual([409, expect.stringContaining("Connect it first")]);
  });

  test.each([
    ["id", { id: "A".repeat(2000) }],
    ["id", { id: "AA==" }],
    ["type", { type: "password" }],
    ["response.signature", { response: { ...assertion.response, signature: "A".repeat(2000) } }],
    ["response.clientDataJSON", { response: { ...assertion.response, clientDataJSON: "A".repeat(6000) } }],
  ])("is refused with an invalid %s", async (field, change) => {
    const { key, path } = await waiting({ options });
    const refused = await api.request("POST", `${path}/passkey/assertion`, { key, body: { ...assertion, ...change } });
    expect([refused.status, refused.body.errors[0].field]).toEqual([400, field]);
  });

  test.each(["7K2M", "0000-0000", "7k2m-qx4p", ""])("confirms no malformed code: %p", async (code) => {
    const { key, path } = await waiting({ step: "confirmation", code: "7K2M-QX4P" });
    expect((await api.request("POST", `${path}/passkey/confirm`, { key, body: { code } })).status).toBe(400);
  });
});
