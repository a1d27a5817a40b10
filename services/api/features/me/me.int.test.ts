import { expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

test("returns the key that asks", async () => {
  const { id, key } = await api.business(["messages:read"]);
  expect((await api.request("GET", "/v1/me", { key })).body).toMatchObject({
    kind: "business",
    business_id: id,
    scopes: ["messages:read"],
    expires_at: null,
  });
  expect((await api.request("GET", "/v1/me")).body).toMatchObject({
    kind: "admin",
    business_id: null,
    scopes: expect.arrayContaining(["messages:write"]),
  });
  expect((await api.request("GET", "/v1/me", { key: "" })).status).toBe(401);
});
