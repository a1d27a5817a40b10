import { describe, expect, test } from "bun:test";
import { planShards } from "./shards_plan.ts";
import type { ShardsNow } from "./shards_plan.ts";

const shards = (count: number, over: Partial<ShardsNow> = {}): ShardsNow => {
  const indices = Array.from({ length: count }, (_, index) => index);
  return {
    count,
    running: indices,
    wanted: indices,
    volumes: indices,
    numShards: count,
    owned: indices.map((index) => index + 1),
    businesses: new Map(),
    ...over,
  };
};
const wanted = (count: number, over = {}) => ({ count, drain: false, maxSessions: 1000, deleteVolume: false, ...over });

describe("planShards", () => {
  test("grows in a safe order", () => {
    const volumes = [3, 4].map((shard) => ({ shard, node: `client-${shard - 2}` }));
    const { lines, refusal } = planShards(shards(2), wanted(4), volumes);
    expect(refusal).toBeUndefined();
    expect(lines.map((line) => line.split(" ").slice(0, 3).join(" "))).toEqual([
      "make the volume",
      "make the volume",
      "set the count",
      "wait until shard",
      "wait until shard",
      "raise the number",
    ]);
    expect(lines[1]).toEndWith("for shard 4 on client-2");
  });

  test("continues an interrupted run", () => {
    const half = shards(3, { numShards: 2, owned: [1, 2] });
    expect(planShards(half, wanted(3)).lines).toEqual([
      "wait until shard 3 holds its owner lock",
      "raise the number of shards in Consul from 2 to 3",
    ]);
  });

  test("plans nothing for the current count", () => {
    expect(planShards(shards(3), wanted(3)).lines).toEqual([]);
  });

  test("writes the first number although the count stays", () => {
    expect(planShards(shards(2, { numShards: null }), wanted(2)).lines).toEqual([
      "raise the number of shards in Consul from the default to 2",
    ]);
  });

  test("refuses to shrink with businesses, unless it drains", () => {
    const inhabited = shards(3, { businesses: new Map([[2, 5], [3, 7]]) }); // prettier-ignore
    expect(planShards(inhabited, wanted(2)).refusal).toContain("7 on shard 3");
    const { lines, refusal } = planShards(inhabited, wanted(2, { drain: true }));
    expect(refusal).toBeUndefined();
    expect(lines[0]).toBe("move 7 businesses off shard 3");
    expect(lines.at(-1)).toBe("keep the volumes of shard 3");
  });

  test("refuses to shrink while a shard does not run", () => {
    expect(planShards(shards(4, { running: [0, 1, 2] }), wanted(3, { drain: true })).refusal).toContain(
      "Shard 4 does not run",
    );
  });

  test("continues a drained scale-down before the count", () => {
    expect(planShards(shards(5, { numShards: 2 }), wanted(2)).lines[0]).toBe(
      "set the count from 5 to 2 and see that shard 3, 4, 5 stops",
    );
  });

  test("deletes the volumes of shards removed earlier", () => {
    expect(planShards(shards(2, { volumes: [0, 1, 4, 2] }), wanted(2, { deleteVolume: true })).lines).toEqual([
      "delete the volumes of shard 3, 5",
    ]);
    expect(planShards(shards(2, { volumes: [0, 1, 2] }), wanted(2)).lines).toEqual([]);
    expect(planShards(shards(3), wanted(2, { deleteVolume: true })).lines.at(-1)).toBe("delete the volumes of shard 3");
  });

  test("continues a scale-down after the count", () => {
    expect(planShards(shards(2, { numShards: 3 }), wanted(2)).lines[0]).toBe(
      "lower the number of shards in Consul from 3 to 2",
    );
  });

  test("keeps the volume of a shard with businesses", () => {
    const now = shards(2, { volumes: [0, 1, 2], businesses: new Map([[3, 1]]) });
    expect(planShards(now, wanted(2, { deleteVolume: true })).refusal).toContain("shard 3");
    expect(planShards(now, wanted(2)).refusal).toBeUndefined();
  });
});
