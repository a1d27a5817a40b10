import { beforeEach, describe, expect, test } from "bun:test";
import { forPlatform, quarantineEntries } from "../../../../lib/db/index.ts";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();
let id: string;
let key: string;
beforeEach(async () => {
  ({ id, key } = await api.business());
  await api.database.owner`delete from journal_quarantine`;
  await quarantineEntries(
    forPlatform(api.database.db),
    [id, id, null].map((business_id, n) => ({
      shard: n + 1,
      stream: "inbound",
      seq: n,
      business_id,
      reason: "text: too long",
      entry: { seq: n, data: { text: "a tenant's words" } },
      at: new Date(1_760_000_000_000 + n),
    })),
  );
});

const path = "/v1/admin/quarantine";
const list = async (query = "") => (await api.request("GET", `${path}${query}`)).body.data;

describe("quarantined entries", () => {
  test("are listed without contents, newest first", async () => {
    const data = await list();
    expect(data.map(({ seq }: { seq: number }) => seq)).toEqual([2, 1, 0]);
    expect(data[0]).toMatchObject({ business_id: null, reason: "text: too long", replay_requested_at: null });
    expect(JSON.stringify(data)).not.toContain("a tenant's words");
    expect(await list("?shard=1")).toHaveLength(1);
    expect(await list(`?business_id=${id}`)).toHaveLength(2);
    const page = await api.request("GET", `${path}?limit=2`);
    const rest = await api.request("GET", `${path}?limit=2&cursor=${page.body.next_cursor}`);
    expect([page.body.data.length, rest.body.data.length, rest.body.next_cursor]).toEqual([2, 1, null]);
  });

  test("show their content below their own business only", async () => {
    const [entry] = await list("?shard=1");
    const under = (business: string) => `/v1/admin/businesses/${business}/quarantine/${entry.id}`;
    expect((await api.request("GET", under(id))).body.entry.data).toEqual({ text: "a tenant's words" });
    const { id: other } = await api.business();
    expect((await api.request("GET", under(other))).status).toBe(404);
    expect((await api.request("GET", under("nonsense"))).status).toBe(404);
  });

  test("are replayed one by one and together", async () => {
    const [entry] = await list("?shard=1");
    const one = await api.request("POST", `${path}/${entry.id}/replay`);
    expect([one.status, one.body]).toEqual([202, { requested: 1 }]);
    expect((await list("?shard=1"))[0].replay_requested_at).not.toBeNull();
    const some = await api.request("POST", `${path}/replay?business_id=${id}`);
    expect(some.body).toEqual({ requested: 2 });
    expect((await list("?shard=3"))[0].replay_requested_at).toBeNull();
  });

  test("are discarded", async () => {
    const [entry] = await list();
    expect((await api.request("DELETE", `${path}/${entry.id}`)).status).toBe(204);
    expect((await api.request("DELETE", `${path}/${entry.id}`)).status).toBe(404);
    expect(await list()).toHaveLength(2);
  });

  test.each([
    ["GET", ""],
    ["POST", "/replay"],
    ["DELETE", "/01900000-0000-7000-8000-000000000001"],
  ])("are hidden from keys of businesses: %s %s", async (method, suffix) => {
    expect((await api.request(method, `${path}${suffix}`, { key })).status).toBe(404);
  });
});
