import { describe, expect, test } from "bun:test";
import { chooseNodes, readVolumeNodes } from "./placement.ts";
import type { Nomad } from "./nomad.ts";
import { kindOfVolume, shardVolume } from "./volumes.ts";

const node = (number: number, freeBytes = 100) => ({ id: `id-${number}`, name: `client-${number}`, freeBytes });
const three = [node(1), node(2), node(3)];
const names = (chosen: ReturnType<typeof chooseNodes>) => [...chosen.values()].map(({ name }) => name);

describe("chooseNodes", () => {
  test("spreads the volumes of new shards", () => {
    const missing = Array.from({ length: 6 }, (_, index) => shardVolume(index));
    const chosen = names(chooseNodes(missing, three, [], kindOfVolume));
    expect(chosen).toEqual(["client-1", "client-2", "client-3", "client-1", "client-2", "client-3"]);
  });

  test("prefers the node with the fewest shards", () => {
    const existing = [0, 1, 2].map((index) => ({ name: shardVolume(index), nodeId: `id-${index < 2 ? 1 : 3}` }));
    const chosen = chooseNodes([shardVolume(3), shardVolume(4), shardVolume(5)], three, existing, kindOfVolume);
    expect(names(chosen)).toEqual(["client-2", "client-2", "client-3"]);
  });

  test("chooses the most free disk among equals", () => {
    const nodes = [node(1, 10e9), node(2, 40.2e9), node(3, 20e9), node(4, 40.3e9)];
    expect(names(chooseNodes([0, 1, 2].map(shardVolume), nodes, [], kindOfVolume))).toEqual([
      "client-2",
      "client-4",
      "client-3",
    ]);
  });

  test("ignores volumes of another kind", () => {
    const existing = [{ name: "media", nodeId: "id-1" }];
    expect(names(chooseNodes([shardVolume(0)], three, existing, kindOfVolume))).toEqual(["client-1"]);
  });

  test("keeps the replica off the primary's node", () => {
    const chosen = chooseNodes(["postgres-data", "postgres-replica-data"], three, [], kindOfVolume);
    expect(names(chosen)).toEqual(["client-1", "client-2"]);
  });

  test("puts every volume on a single node", () => {
    expect(names(chooseNodes([shardVolume(0), shardVolume(1)], [node(1)], [], kindOfVolume))).toEqual([
      "client-1",
      "client-1",
    ]);
  });

  test("refuses without a node", () => {
    expect(() => chooseNodes([shardVolume(0)], [], [], kindOfVolume)).toThrow("No node can hold");
  });
});

describe("readVolumeNodes", () => {
  const stub = (number: number, over = {}) => ({
    ID: `id-${number}`,
    Name: `client-${number}`,
    Status: "ready",
    SchedulingEligibility: "eligible",
    NodePool: "default",
    ...over,
  });
  const nomadWith = (
    stubs: object[],
    attributes: Record<string, string> = { "plugins.host_volume.mkdir.version": "1" },
  ) =>
    (async (_: string, path: string) => {
      if (path === "/v1/nodes") return stubs;
      if (path.startsWith("/v1/client/stats")) return { AllocDirStats: { Available: 7 } };
      return { Attributes: attributes };
    }) as Nomad;

  test("leaves out nodes that take no work", async () => {
    const stubs = [
      stub(1),
      stub(2, { Status: "down" }),
      stub(3, { SchedulingEligibility: "ineligible" }),
      stub(4, { NodePool: "edge" }),
    ];
    expect(await readVolumeNodes(nomadWith(stubs), "default")).toEqual([
      { id: "id-1", name: "client-1", freeBytes: 7 },
    ]);
    const all = await readVolumeNodes(nomadWith(stubs), "all");
    expect(all.map(({ name }) => name)).toEqual(["client-1", "client-4"]);
  });

  test("says why no node qualifies", async () => {
    const stubs = [stub(1, { Status: "down" }), stub(2, { NodePool: "edge" })];
    await expect(readVolumeNodes(nomadWith(stubs), "default")).rejects.toThrow(
      'of 2 nodes 1 are in the pool "default", and 0 of those are ready and eligible',
    );
    await expect(readVolumeNodes(nomadWith([stub(1)], {}), "default")).rejects.toThrow("No node can hold a volume");
  });
});
