import { describe, expect, test } from "bun:test";
import { journalsOf, verifyEmpty } from "./shards_down.ts";
import type { Target } from "./target.ts";

const shard = (n: number, businesses = 0, moving = 0) => ({
  shard: n,
  businesses,
  paired: businesses,
  moving,
  journal: 0,
});
const withAssignments = (...data: ReturnType<typeof shard>[]) =>
  ({ api: { GET: async () => ({ response: new Response(), data: { num_shards: 2, data } }) } }) as unknown as Target;

describe("removing shards", () => {
  test("does not take an unknown journal for empty", () => {
    expect(journalsOf([shard(1), shard(2), shard(3)], [3, 4])).toEqual([
      { shard: 3, journal: 0 },
      { shard: 4, journal: null },
    ]);
  });

  test("reports businesses on a removed shard", async () => {
    await verifyEmpty(withAssignments(shard(1, 5), shard(2, 5), shard(3)), 2);
    for (const living of [shard(3, 1), shard(3, 0, 1)]) {
      await expect(verifyEmpty(withAssignments(shard(1, 5), living), 2)).rejects.toThrow(
        "Businesses live on shards that are gone",
      );
    }
  });
});
