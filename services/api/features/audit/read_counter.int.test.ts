import { describe, expect, test } from "bun:test";
import { useHarness } from "../../testing/use_harness.ts";

const api = useHarness();

const readsOf = async (business: string) => {
  await api.readCounter.flush();
  return (await api.request("GET", `/v1/admin/audit/reads?business_id=${business}`)).body.data as {
    reads: number;
    key_prefix: string;
  }[];
};

describe("reads with an admin key", () => {
  test("are counted by key, business and hour", async () => {
    const { id } = await api.business();
    for (let n = 0; n < 3; n++) await api.request("GET", `/v1/businesses/${id}/messages`);
    await readsOf(id);
    for (let n = 0; n < 2; n++) await api.request("GET", `/v1/businesses/${id}`);
    const rows = await readsOf(id);
    // The reads may straddle two hours.
    expect(rows.reduce((sum, row) => sum + row.reads, 0)).toBe(5);
    expect(new Set(rows.map((row) => row.key_prefix))).toEqual(new Set([api.adminKey.slice(4, 12)]));
  });

  test("are counted over a console session", async () => {
    const { id } = await api.business();
    const signedIn = await api.request("POST", "/v1/console/session");
    const cookie = signedIn.headers.get("set-cookie")!.split(";")[0]!;
    await api.request("GET", `/v1/businesses/${id}/messages`, { key: "", headers: { cookie } });
    expect(await readsOf(id)).toMatchObject([{ reads: 1 }]);
  });

  test("of nothing and by business keys are not counted", async () => {
    const { id, key } = await api.business();
    await api.request("GET", `/v1/businesses/${id}/messages`, { key });
    await api.request("GET", `/v1/businesses/${id}/messages/${crypto.randomUUID()}`);
    expect(await readsOf(id)).toEqual([]);
  });

  test("cost no query until the flush", async () => {
    const { id } = await api.business();
    await api.request("GET", `/v1/businesses/${id}`);
    expect(await api.database.owner`select 1 from audit_reads where business_id = ${id}`).toHaveLength(0);
    expect(await readsOf(id)).toHaveLength(1);
  });

  test("are retried after a failed flush", async () => {
    const { id } = await api.business();
    await api.request("GET", `/v1/businesses/${id}`);
    await api.database.owner`alter table audit_reads rename to audit_reads_hidden`;
    await api.readCounter.flush();
    await api.database.owner`alter table audit_reads_hidden rename to audit_reads`;
    expect(await readsOf(id)).toMatchObject([{ reads: 1 }]);
  });
});
