import { beforeEach, describe, expect, test } from "bun:test";
import type { AssignmentRule } from "../../../../lib/routing/index.ts";
import { hashShard } from "../../../../lib/routing/index.ts";
import { useHarness } from "../../testing/use_harness.ts";

let rule: AssignmentRule;
let cordoned: number[];
const api = useHarness({ assignmentRule: () => rule, cordon: () => cordoned });
beforeEach(async () => {
  cordoned = [];
  await api.database.owner`delete from businesses`;
});

const connect = (id: string) =>
  api.request("POST", `/v1/businesses/${id}/whatsapp/connect`, { body: { method: "qr" } });
const shardOf = async (id: string) => (await api.request("GET", `/v1/businesses/${id}`)).body.whatsapp_shard as number;

describe("the first shard", () => {
  test("is a hash of the id under hash", async () => {
    rule = "hash";
    for (let n = 0; n < 8; n++) {
      const { id } = await api.business();
      expect((await connect(id)).status).toBe(202);
      expect(await shardOf(id)).toBe(hashShard(id, 2));
    }
  });

  test("is spread evenly under load", async () => {
    rule = "least_loaded";
    const crowd = await Promise.all(Array.from({ length: 10 }, () => api.business()));
    for (const { id } of crowd.slice(0, 3))
      await api.database.owner`update businesses set whatsapp_shard = 1 where id = ${id}`;
    const answers = await Promise.all(crowd.slice(3).map(({ id }) => connect(id)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 7 }, () => 202));
    const shards = await Promise.all(crowd.map(({ id }) => shardOf(id)));
    expect(Object.fromEntries([1, 2].map((shard) => [shard, shards.filter((one) => one === shard).length]))).toEqual({
      1: 5,
      2: 5,
    });
  });

  test.each(["hash", "least_loaded"] as const)("is no cordoned one under %s", async (chosen) => {
    rule = chosen;
    const { id: earlier } = await api.business();
    await api.database.owner`update businesses set whatsapp_shard = 1 where id = ${earlier}`;
    cordoned = [1];
    const others = await Promise.all(Array.from({ length: 6 }, () => api.business()));
    for (const { id } of [...others, { id: earlier }]) expect((await connect(id)).status).toBe(202);
    expect(await Promise.all(others.map(({ id }) => shardOf(id)))).toEqual(others.map(() => 2));
    expect(await shardOf(earlier)).toBe(1);
  });

  test("is the hashed one if all are cordoned", async () => {
    rule = "hash";
    cordoned = [1, 2];
    const { id } = await api.business();
    expect((await connect(id)).status).toBe(202);
    expect(await shardOf(id)).toBe(hashShard(id, 2));
  });

  test("stays when the rule changes", async () => {
    rule = "hash";
    const { id } = await api.business();
    await connect(id);
    const shard = await shardOf(id);
    const others = await Promise.all([api.business(), api.business(), api.business()]);
    for (const other of others)
      await api.database.owner`update businesses set whatsapp_shard = ${shard} where id = ${other.id}`;
    rule = "least_loaded";
    await connect(id);
    expect(await shardOf(id)).toBe(shard);
  });
});
