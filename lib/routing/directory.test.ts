import { describe, expect, test } from "bun:test";
import type { ConsulClient } from "../consul/client.ts";
import { scriptConsul } from "../testing/scripted_consul.ts";
import { until } from "../testing/until.ts";
import { createDirectory } from "./directory.ts";

const healthy = (...at: [shard: number, port: number][]) =>
  at.map(([shard, port]) => ({
    Service: { Address: "127.0.0.1", Port: port, Meta: { shard: `${shard}` } },
    Checks: [{ Status: "passing" }],
  }));

describe("createDirectory", () => {
  test("keeps every shard when a restarted Consul answers stale", async () => {
    const [stop, sizes] = [new AbortController(), [] as number[]];
    const all = healthy([1, 1001], [2, 1002]);
    const { consul, isOver } = scriptConsul([
      { index: 400, body: all },
      "away",
      { index: 303, body: [] },
      { index: 410, body: all },
    ]);
    createDirectory({ consul, signal: stop.signal, onChange: (map) => sizes.push(map.size) });
    await until(isOver, { what: "the last answer" });
    stop.abort();
    expect(new Set(sizes)).toEqual(new Set([2]));
  });

  test("drops a contested shard's address that no claimant has", async () => {
    const stop = new AbortController();
    const more = Promise.withResolvers<void>();
    let asked = 0;
    const consul = {
      blockingGet: async (path: string) => {
        if (path.includes("/kv/")) throw new Error("no leader");
        asked += 1;
        if (asked === 1) return { index: 1, body: healthy([3, 1003]) };
        if (asked > 2) return new Promise(() => {});
        await more.promise;
        // Shard 5 now has the former port of shard 3.
        return { index: 2, body: healthy([3, 2001], [3, 2002], [5, 1003]) };
      },
    } as unknown as ConsulClient;
    const directory = createDirectory({ consul, signal: stop.signal });
    await directory.ready;
    more.resolve();
    await until(() => directory.addresses.has(5), { what: "the second answer" });
    stop.abort();
    expect(directory.addresses.get(3)?.url).not.toBe(directory.addresses.get(5)?.url);
  });
});
