import { describe, expect, test } from "bun:test";
import { inDeployOrder, stagesOf } from "./roll_out.ts";

describe("the order of a deploy", () => {
  test("has data services and the schema before services", () => {
    expect(inDeployOrder(["api", "indexer", "workers", "migrate", "pgbouncer", "redis"])).toEqual([
      "redis",
      "pgbouncer",
      "migrate",
      "indexer",
      "workers",
      "api",
    ]);
  });

  test("has only stages of the chosen jobs", () => {
    expect(stagesOf(["nginx", "workers", "wa-shards"])).toEqual([["workers"], ["wa-shards"], ["nginx"]]);
  });

  test("has jobs without a stage last", () => {
    expect(stagesOf(["prometheus", "api"])).toEqual([["api"], ["prometheus"]]);
  });
});
