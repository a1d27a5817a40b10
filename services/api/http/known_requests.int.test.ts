import { describe, expect, test } from "bun:test";
import { useHarness } from "../testing/use_harness.ts";

// The document has no operation for these requests.
const api = useHarness({ validate: false });

describe("the query", () => {
  test("is refused with unknown parameters", async () => {
    const { id } = await api.business();
    const refused = await api.request("GET", `/v1/businesses/${id}/messages?statuz=sent&limit=1`);
    expect([refused.status, refused.body.errors]).toEqual([
      400,
      [{ field: "statuz", message: expect.stringContaining("it has chat, direction, status, cursor, limit") }],
    ]);
    expect((await api.request("GET", `/v1/businesses/${id}?x=1`)).body.errors[0].message).toContain("it has none");
    expect((await api.request("GET", `/v1/businesses/${id}/messages?limit=1`)).status).toBe(200);
    expect((await api.request("GET", `/v1/businesses/${id}?again`)).status).toBe(200);
    expect((await api.request("GET", "/v1/nowhere?x=1")).status).toBe(404);
  });
});

describe("an unsupported method", () => {
  test("is answered 405 with Allow", async () => {
    const { id } = await api.business();
    const answer = await api.request("PUT", `/v1/businesses/${id}`);
    expect([answer.status, answer.headers.get("allow")]).toEqual([405, "GET, HEAD, PATCH, DELETE"]);
    expect(answer.body.detail).toContain("does not support PUT");
    expect((await api.request("PUT", "/v1/nowhere")).status).toBe(404);
    expect((await api.request("POST", "/v1/openapi.json")).status).toBe(405);
  });

  test("reveals no admin route to a tenant", async () => {
    const { key } = await api.business();
    expect((await api.request("PUT", "/v1/admin/shards", { key })).status).toBe(404);
    expect((await api.request("PUT", "/v1/admin/shards")).status).toBe(405);
  });
});

describe("errors", () => {
  test("name field, rule and value", async () => {
    const { id } = await api.business();
    const faultOf = async (method: string, path: string, body?: object) =>
      (await api.request(method, path, { body })).body.errors?.[0];
    expect(await faultOf("POST", "/v1/businesses", {})).toEqual({ field: "name", message: "is required" });
    expect(await faultOf("POST", "/v1/businesses", { name: 5 })).toEqual({
      field: "name",
      message: "must be a text, not 5",
    });
    expect(await faultOf("POST", "/v1/businesses", { name: "" })).toEqual({
      field: "name",
      message: "must be at least 1 characters, not 0",
    });
    expect(await faultOf("GET", `/v1/businesses/${id}/messages?limit=1000`)).toEqual({
      field: "limit",
      message: "must be at most 200, not 1000",
    });
    expect(await faultOf("GET", `/v1/businesses/${id}/messages?status=gone`)).toMatchObject({
      field: "status",
      message: expect.stringMatching(/^must be "queued" or .*, not "gone"$/),
    });
  });
});
