import { describe, expect, test } from "bun:test";
import { createApiClient } from "./index.ts";

describe("path parameters", () => {
  const sent: string[] = [];
  const client = createApiClient({
    baseUrl: "http://api",
    fetch: async (request) => {
      sent.push(`${request.method} ${new URL(request.url).pathname}`);
      return Response.json({});
    },
  });
  const remove = (business_id: string, key_id: string) =>
    client.DELETE("/v1/businesses/{business_id}/keys/{key_id}", { params: { path: { business_id, key_id } } });

  test.each(["..", ".", ""])("refuse %p, which would reach another operation", async (id) => {
    sent.length = 0;
    await expect(remove("b", id)).rejects.toThrow(TypeError);
    await expect(remove(id, "k")).rejects.toThrow(TypeError);
    expect(sent).toEqual([]);
  });

  test.each([
    ["../../admin", "%2E%2E%2F..%2Fadmin"],
    ["%2e%2e", "%252e%252e"],
    ["a/b?c#d", "a%2Fb%3Fc%23d"],
    ["...", "..."],
  ])("encode %p", async (id, encoded) => {
    sent.length = 0;
    await remove("b", id);
    expect(sent.map((path) => path.replaceAll("%2E", "."))).toEqual([
      `DELETE /v1/businesses/b/keys/${encoded.replaceAll("%2E", ".")}`,
    ]);
  });
});
