import { describe, expect, test } from "bun:test";
import { shardOverrides } from "./config.ts";
import { parseInstances } from "./directory.ts";
import { createRouterOver, parseNumShards, ShardOutOfRange, ShardUnavailable } from "./router.ts";

const directory = (...urls: string[]) => ({
  addresses: new Map(urls.map((url, index) => [index + 1, { shard: index + 1, url }])),
  ageMs: () => 0,
  ready: Promise.resolve(),
});

describe("createRouterOver", () => {
  test("locates a business at its stored shard", () => {
    const router = createRouterOver(directory("http://a", "http://b"), () => 2);
    expect(router.locate({ id: "x", whatsapp_shard: 2 })).toEqual({ shard: 2, url: "http://b" });
  });

  test("throws ShardUnavailable without a healthy instance", () => {
    const router = createRouterOver(directory("http://a"), () => 2);
    expect(() => router.locate({ id: "x", whatsapp_shard: 2 })).toThrow(ShardUnavailable);
  });

  test("throws ShardOutOfRange even if such an instance exists", () => {
    const router = createRouterOver(directory("http://a", "http://b", "http://c"), () => 2);
    expect(() => router.locate({ id: "x", whatsapp_shard: 3 })).toThrow(ShardOutOfRange);
  });

  test("an override replaces one shard's address", () => {
    const router = createRouterOver(directory("http://a", "http://b"), () => 2, new Map([[2, "http://fixed"]]));
    expect(router.shard(1).url).toBe("http://a");
    expect(router.shard(2).url).toBe("http://fixed");
    expect(router.shards().map((entry) => entry.url)).toEqual(["http://a", "http://fixed"]);
  });

  test("applies a new number of shards immediately", () => {
    let n = 1;
    const router = createRouterOver(directory("http://a", "http://b"), () => n);
    expect(() => router.locate({ id: "x", whatsapp_shard: 2 })).toThrow(ShardOutOfRange);
    n = 2;
    expect(router.locate({ id: "x", whatsapp_shard: 2 }).url).toBe("http://b");
  });
});

describe("parseInstances", () => {
  test("reads shard or shard_index and skips the rest", () => {
    const entry = (meta: Record<string, string> | null, port = 1) => ({
      Node: { Address: "10.0.0.9" },
      Service: { Address: "", Port: port, Meta: meta },
    });
    expect(
      parseInstances([
        entry({ shard: "2" }),
        entry({ shard_index: "0" }),
        entry({ shard: "x" }),
        entry(null),
        entry({ shard: "1" }, 0),
      ]),
    ).toEqual([
      { shard: 2, address: "10.0.0.9", port: 1, checked: true },
      { shard: 1, address: "10.0.0.9", port: 1, checked: true },
    ]);
    expect(parseInstances("garbage")).toEqual([]);
  });

  test("skips failing instances and marks unchecked ones", () => {
    const entry = (...checks: [status: string, output: string][]) => [
      {
        Service: { Address: "10.0.0.9", Port: 1, Meta: { shard: "1" } },
        Checks: checks.map(([Status, Output]) => ({ Status, Output })),
      },
    ];
    expect(parseInstances(entry(["passing", ""], ["passing", "ok"]))).toMatchObject([{ checked: true }]);
    expect(parseInstances(entry(["passing", ""], ["critical", ""]))).toMatchObject([{ checked: false }]);
    const earlier = "HTTP GET http://10.0.0.9:2/ready: 200 OK Output: ok";
    expect(parseInstances(entry(["passing", ""], ["critical", earlier]))).toMatchObject([{ checked: false }]);
    const refused = "HTTP GET http://10.0.0.9:2/ready: 503 Service Unavailable Output: HTTP GET x: 200 ";
    expect(parseInstances(entry(["passing", ""], ["critical", refused]))).toEqual([]);
    expect(parseInstances(entry(["critical", "connection refused"], ["critical", ""]))).toEqual([]);
    expect(parseInstances(entry(["warning", ""]))).toEqual([]);
  });
});

describe("configuration", () => {
  test("rejects an invalid number of shards", () => {
    expect(parseNumShards("12")).toBe(12);
    for (const bad of ["0", "-1", "x", "", "1e3", "100000"]) expect(parseNumShards(bad)).toBeNull();
  });

  test("reports every malformed override", () => {
    const { overrides, faults } = shardOverrides({
      BAILEYS_SHARD_2_URL: "http://h:1/",
      BAILEYS_SHARD_0_URL: "http://h",
      BAILEYS_SHARD_3_URL: "nonsense",
      BAILEYS_NUM_SHARDS: "3",
    });
    expect([...overrides]).toEqual([[2, "http://h:1"]]);
    expect(faults.map((fault) => fault.variable).toSorted()).toEqual(["BAILEYS_SHARD_0_URL", "BAILEYS_SHARD_3_URL"]);
  });
});
