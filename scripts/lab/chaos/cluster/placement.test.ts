import { describe, expect, test } from "bun:test";
import { placementFaults } from "./placement.ts";

const placed = (group: string, ...nodes: string[]) => nodes.map((node) => ({ group, node }));

describe("placementFaults", () => {
  test("accepts an even spread", () => {
    expect(placementFaults([...placed("api", "a", "b"), ...placed("shard", "a", "b", "a")], ["a", "b"])).toEqual([]);
  });

  test("names two replicas beside an empty node", () => {
    expect(placementFaults(placed("api", "a", "a"), ["a", "b"])).toEqual(["api: 2 on a, 0 on b"]);
  });

  test("names shards that lie on one node", () => {
    expect(placementFaults(placed("shard", "a", "a", "a", "b"), ["a", "b"])).toEqual(["shard: 3 on a, 1 on b"]);
  });
});
