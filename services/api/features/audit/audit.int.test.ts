import { describe, expect, test } from "bun:test";
import { parseNetworks } from "../../../../lib/core/networks.ts";
import { consoleOrigin, requestWithCookie, signIn } from "../../testing/console_session.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness({ edge: parseNetworks(["127.0.0.0/8"]) });

describe("changes with admin keys", () => {
  test("are audited with their outcome, unlike reads", async () => {
    const { id } = await api.business();
    await api.request("PATCH", `/v1/businesses/${id}`, {
      body: { name: "Renamed" },
      headers: { "x-request-id": "audit-me-1" },
    });
    await requestWithCookie(api, "DELETE", `/v1/businesses/${id}`, await signIn(api), {
      origin: consoleOrigin,
      "x-request-id": "audit-me-2",
    });
    await api.request("GET", `/v1/businesses/${id}`);
    const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}`);
    expect(
      body.data.map(({ method, status, request_id }: Record<string, unknown>) => [method, status, request_id]),
    ).toEqual([
      ["DELETE", 204, "audit-me-2"],
      ["PATCH", 200, "audit-me-1"],
      ["POST", 201, expect.any(String)],
    ]);
    expect(body.data[0]).toMatchObject({ key_prefix: api.adminKey.slice(4, 12), path: `/v1/businesses/${id}` });
  });

  test.each([
    ["as the edge names it", "127.0.0.1", "203.0.113.7"],
    ["unlike what a stranger claims", "198.51.100.1", "198.51.100.1"],
  ])("are audited with the client's address, %s", async (_, peer, address) => {
    const { id } = await api.business();
    await api.app.request(
      `/v1/businesses/${id}`,
      { method: "DELETE", headers: { authorization: `Bearer ${api.adminKey}`, "x-forwarded-for": "203.0.113.7" } },
      { requestIP: () => ({ address: peer }) },
    );
    const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}&limit=1`);
    expect(body.data).toMatchObject([{ method: "DELETE", address }]);
  });

  test("are audited when they are refused", async () => {
    const { id } = await api.business();
    await api.request("PATCH", `/v1/businesses/${id}`, { body: {} });
    const { body } = await api.request("GET", `/v1/admin/audit?business_id=${id}&limit=1`);
    expect(body.data).toMatchObject([{ method: "PATCH", status: 400 }]);
  });
});
