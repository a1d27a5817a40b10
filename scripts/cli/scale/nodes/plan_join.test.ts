import { describe, expect, test } from "bun:test";
import { array, assert, integer, property } from "fast-check";
import { allocation, clusterOf, group, node, relocated } from "../testing/cluster_model.ts";
import type { ClusterNow, Relocation } from "./cluster_now.ts";
import { planJoin } from "./plan_join.ts";

const options = { withCopies: false, maxSessions: 1000 };
const joining = { id: "n3", name: "client-3", freeBytes: 50e9 };
const nodes = [node(1), node(2), node(3, { isEligible: false })];
const plan = (now: ClusterNow) =>
  planJoin(
    now,
    now.nodes.find(({ id }) => id === "n3")!,
    joining,
    options,
  );
const on = (...places: number[]) => places.map((place, index) => ({ on: place, businesses: index + 1 }));

describe("planJoin", () => {
  test("takes the lightest shards of the fullest nodes", () => {
    const { refusals, relocations, lines } = plan(clusterOf({ nodes, shards: on(1, 1, 1, 2, 2, 2) }));
    expect(refusals).toEqual([]);
    expect(relocations.map(({ shard, to }) => [shard, to.id])).toEqual([
      [1, "n3"],
      [4, "n3"],
    ]);
    expect(lines[0]).toBe("make client-3 eligible");
  });

  test("empties its shards together where the others have room", () => {
    const now = clusterOf({ nodes, shards: on(1, 1, 1, 2, 2, 2) });
    const groups = (maxSessions: number) =>
      planJoin(now, now.nodes[2]!, joining, { ...options, maxSessions }).groups.map((group) =>
        group.map(({ shard }) => shard),
      );
    expect(groups(1000)).toEqual([[1, 4]]);
    // Then shard 1 takes businesses of shard 4, after its own relocation.
    expect(groups(4)).toEqual([[1], [4]]);
  });

  test("takes nothing that another node would miss", () => {
    expect(plan(clusterOf({ nodes, shards: on(1, 2) })).relocations).toEqual([]);
    expect(plan(clusterOf({ nodes, shards: [] })).relocations).toEqual([]);
  });

  test("takes no shard onto a node without volumes", () => {
    const now = clusterOf({ nodes, shards: on(1, 1, 1) });
    expect(planJoin(now, now.nodes[2]!, undefined, options)).toMatchObject({ relocations: [], refusals: [] });
  });

  test("restarts replicas that crowd another node", () => {
    const allocations = [0, 1, 2].map((index) => allocation("api", index, 1));
    const pinned = [0, 1].map((index) => allocation("nginx", index, 1));
    const now = clusterOf({
      nodes,
      shards: [],
      groups: [group("api"), group("nginx", { hasFixedPorts: true })],
      allocations: [...allocations, ...pinned],
    });
    expect(plan(now).replicas.map(({ allocationId }) => allocationId)).toEqual(["api-2"]);
  });

  test("keeps the shards of an interrupted drain", () => {
    const now = clusterOf({ nodes, shards: on(3, 1) });
    const leaving = { shard: 1, businesses: 1, how: "move" as const, from: "n3", isDrain: true };
    const to = { id: "n2", name: "client-2", freeBytes: 1 };
    const half = relocated(now, { ...leaving, to, nodes: ["n3", "n2"] }, "volume made");
    expect(plan(half)).toMatchObject({ kept: [1], finished: [] });
    const gone = relocated(now, { ...leaving, to, nodes: ["n3", "n2"] }, "started");
    expect(plan(gone)).toMatchObject({ kept: [], finished: [1] });
  });

  test("refuses a node that is down", () => {
    const down = [node(1), node(2), node(3, { status: "down" })];
    expect(plan(clusterOf({ nodes: down, shards: [] })).refusals[0]).toContain("client-3 is down");
  });

  describe("with an outdated volume on the node", () => {
    const now = clusterOf({ nodes, shards: on(1, 2) });
    const left = { ...now, volumes: [...now.volumes, { id: "old", name: "wa-auth[0]", nodeId: "n3" }] };
    const recorded = (record: Relocation) => plan({ ...left, relocations: new Map([[1, record]]) }).refusals.join();

    test("refuses one without a record", () => {
      expect(plan(left).refusals.join()).toContain("nomad volume delete -type=host old");
    });

    test("deletes one of a finished relocation", () => {
      expect(recorded({ nodes: ["n3", "n1"] })).toBe("");
    });

    test("refuses the one with the last changes", () => {
      expect(recorded({ nodes: ["n3", "n1"], inexact: true })).toContain("nomad volume delete");
    });

    test("refuses one of an unfinished relocation", () => {
      expect(recorded({ nodes: ["n3", "n1", "n2"] })).toContain("nomad volume delete");
    });
  });

  test("never leaves two shards more elsewhere, nor moves twice", () => {
    assert(
      property(array(integer({ min: 1, max: 3 }), { maxLength: 12 }), (places) => {
        const now = clusterOf({ nodes, shards: on(...places) });
        const { relocations } = plan(now);
        const after = relocations.reduce((state, one) => relocated(state, one, "finished"), now);
        const counts = nodes.map(({ id }) => after.allocations.filter(({ nodeId }) => nodeId === id).length);
        expect(Math.max(...counts.slice(0, 2)) - counts[2]!).toBeLessThan(2);
        expect(plan(after).relocations).toEqual([]);
        const [one] = relocations;
        if (one === undefined) return;
        const again = plan(relocated(now, one, "recorded")).relocations.map(({ shard }) => shard);
        expect(again).toHaveLength(relocations.length);
        expect(again).toContain(one.shard);
      }),
    );
  });
});
