import { describe, expect, test } from "bun:test";
import { array, assert, boolean, constantFrom, integer, property, record } from "fast-check";
import {
  allocation,
  clusterOf,
  drained,
  group,
  node,
  relocated,
  shardResources,
  stages,
  withNode,
} from "../testing/cluster_model.ts";
import type { ClusterNow } from "./cluster_now.ts";
import { planDrain } from "./plan_drain.ts";

const options = { withCopies: false, maxSessions: 1000, stopTied: false };
const three = [node(1), node(2), node(3)];
const first = ({ nodes }: ClusterNow) => nodes[0]!;
const plan = (now: ClusterNow, over: Partial<typeof options> = {}) =>
  planDrain(now, first(now), { ...options, ...over });

describe("planDrain", () => {
  test("moves businesses first, then starts the empty shards elsewhere", () => {
    const { refusals, lines, relocations } = plan(
      clusterOf({
        nodes: three,
        shards: [
          { on: 1, businesses: 5 },
          { on: 2, businesses: 5 },
          { on: 1, businesses: 0 },
        ],
      }),
    );
    expect(refusals).toEqual([]);
    expect(relocations.map(({ shard, how, to }) => [shard, how, to.name])).toEqual([
      [1, "move", "client-3"],
      [3, "empty", "client-2"],
    ]);
    expect(lines[0]).toContain("ineligible");
    expect(lines[1]).toContain("move 5 businesses off shard 1 to shard 2");
  });

  test("takes copies along on request", () => {
    const now = { ...clusterOf({ nodes: three, shards: [{ on: 1, businesses: 5 }] }), copies: new Map([[1, null]]) };
    expect(plan(now).refusals[0]).toContain("No shard of another node can take the businesses of shard 1");
    const { refusals, relocations } = plan(now, { withCopies: true });
    expect([refusals, relocations[0]?.how]).toEqual([[], "copy"]);
  });

  test.each([
    ["no copy", undefined, "has no copy"],
    ["an unfinished one", new Map([[1, "it has no snapshot yet"]]), "it has no snapshot yet"],
  ] as const)("refuses a shard with %s", (_, copies, reason) => {
    const now = { ...clusterOf({ nodes: three, shards: [{ on: 1, businesses: 5 }] }), copies };
    expect(plan(now, { withCopies: true }).refusals.join()).toContain(reason);
  });

  test("respects the sessions and memory of others", () => {
    const shards = [
      { on: 1, businesses: 8 },
      { on: 2, businesses: 5 },
    ];
    expect(plan(clusterOf({ nodes: three, shards }), { maxSessions: 12 }).refusals[0]).toContain(
      "have room for 7 of the 8 sessions",
    );
    const small = [node(1), node(2, { free: { cpuMhz: 1000, memoryMb: shardResources.memoryMb - 1 } })];
    expect(plan(clusterOf({ nodes: small, shards })).refusals[0]).toContain("No other node can take shard 1");
  });

  test("refuses the last node that can run a job", () => {
    const shape = { nodes: [node(1), node(2, { pool: "data" }), node(3, { isEligible: false })], shards: [] };
    const now = clusterOf({ ...shape, groups: [group("api")], allocations: [allocation("api", 0, 1)] });
    expect(plan(now).refusals).toEqual(["client-1 is the last node that can run api."]);
  });

  test("refuses tied services without --stop-tied", () => {
    const nodes = [node(1), node(2)];
    const postgres = group("postgres", { volumes: ["postgres-data"], hasFixedPorts: true });
    const now = {
      ...clusterOf({ nodes, shards: [], groups: [postgres], allocations: [allocation("postgres", 0, 1)] }),
      volumes: [{ id: "v", name: "postgres-data", nodeId: "n1" }],
    };
    expect(plan(now).refusals[0]).toContain("it has no replica on another node");
    const { refusals, stopped } = plan(now, { stopTied: true });
    expect([refusals, stopped]).toEqual([[], ["postgres"]]);
  });

  test("stops an edge that has no other node", () => {
    const edges = { groups: [group("nginx", { hasFixedPorts: true })], shards: [] };
    const both = [allocation("nginx", 0, 1), allocation("nginx", 1, 2)];
    const two = plan(clusterOf({ nodes: [node(1), node(2)], ...edges, allocations: both }));
    expect([two.refusals, two.stopped]).toEqual([[], ["nginx"]]);
    const one = plan(clusterOf({ nodes: [node(1), node(2)], ...edges, allocations: both.slice(0, 1) }));
    expect(one.replicas).toEqual([{ group: "nginx", to: "client-2" }]);
  });

  test("refuses a volume that no relocation made", () => {
    const now = clusterOf({ nodes: three, shards: [{ on: 1, businesses: 0 }] });
    const stray = { id: "stray", name: "wa-auth[0]", nodeId: "n3" };
    expect(plan({ ...now, volumes: [...now.volumes, stray] }).refusals[0]).toContain("nomad volume delete");
  });

  test("refuses a node that is down", () => {
    const now = clusterOf({ nodes: three, shards: [{ on: 1, businesses: 0 }] });
    expect(plan(withNode(now, "n1", { status: "down" })).refusals[0]).toContain("client-1 is down");
  });

  test("chooses another node when the chosen one was lost", () => {
    const now = clusterOf({ nodes: three, shards: [{ on: 1, businesses: 0 }] });
    const [one] = plan(now).relocations;
    const lost = withNode(relocated(now, one!, "volume made"), one!.to.id, { status: "down" });
    const [again] = plan(lost).relocations;
    expect(again!.to.id).not.toBe(one!.to.id);
    expect(again!.nodes).toEqual([one!.to.id, "n1", again!.to.id]);
    const unplaced = { ...lost, allocations: [] };
    expect(plan(unplaced).relocations.map(({ shard }) => shard)).toEqual([1]);
  });
});

const clusters = record({
  memory: array(integer({ min: 200, max: 4_000 }), { minLength: 2, maxLength: 5 }),
  eligible: array(boolean(), { minLength: 5, maxLength: 5 }),
  shards: array(record({ on: integer({ min: 1, max: 5 }), businesses: integer({ min: 0, max: 40 }) }), {
    maxLength: 8,
  }),
  api: array(integer({ min: 1, max: 5 }), { maxLength: 4 }),
  edges: integer({ min: 0, max: 5 }),
  maxSessions: integer({ min: 1, max: 120 }),
}).map(({ memory, eligible, shards, api, edges, maxSessions }) => {
  const nodes = memory.map((memoryMb, index) =>
    node(index + 1, { free: { cpuMhz: 4_000, memoryMb }, isEligible: index === 0 || eligible[index]! }),
  );
  const on = (wanted: number) => ((wanted - 1) % nodes.length) + 1;
  const now = clusterOf({
    nodes,
    shards: shards.map((one) => ({ ...one, on: on(one.on) })),
    groups: [group("api"), group("nginx", { hasFixedPorts: true })],
    allocations: [
      ...api.map((wanted, index) => allocation("api", index, on(wanted))),
      ...nodes.slice(0, edges).map((_, index) => allocation("nginx", index, index + 1)),
    ],
  });
  return { now, settings: { ...options, maxSessions } };
});

describe("any drain", () => {
  test("leaves nothing unplaced and fills no node or shard", () => {
    assert(
      property(clusters, ({ now, settings }) => {
        const { refusals, relocations, replicas, stopped } = planDrain(now, first(now), settings);
        if (refusals.length > 0) return;
        const leaving = now.allocations.filter(({ nodeId }) => nodeId === "n1");
        expect(relocations.length + replicas.length + stopped.length).toBe(leaving.length);
        for (const { id, name, isEligible, free } of now.nodes) {
          const shards = relocations.filter(({ to }) => to.id === id);
          const others = replicas.filter(({ to }) => to === name);
          if (shards.length + others.length > 0)
            expect([id, isEligible]).toEqual([expect.not.stringMatching("n1"), true]);
          expect(shards.length * shardResources.memoryMb + others.length * 256).toBeLessThanOrEqual(
            Math.max(0, free.memoryMb),
          );
        }
        const moving = relocations.filter(({ how }) => how === "move").reduce((sum, one) => sum + one.businesses, 0);
        const room = [...now.shards]
          .filter(([shard]) =>
            now.allocations.some((one) => one.index === shard - 1 && one.job === "wa-shards" && one.nodeId !== "n1"),
          )
          .reduce((sum, [, { paired }]) => sum + Math.max(0, settings.maxSessions - paired), 0);
        expect(moving).toBeLessThanOrEqual(room);
      }),
    );
  });

  test("has nothing to do a second time", () => {
    assert(
      property(clusters, ({ now, settings }) => {
        const done = planDrain(now, first(now), settings);
        if (done.refusals.length > 0) return;
        const moved = done.relocations.reduce((state, one) => relocated(state, one, "finished"), now);
        const after = drained(moved, "n1", done);
        expect(planDrain(after, first(after), settings)).toMatchObject({ lines: [], refusals: [] });
      }),
    );
  });

  test("continues at the same nodes after an interrupt", () => {
    assert(
      property(clusters, integer({ min: 0, max: 7 }), constantFrom(...stages), ({ now, settings }, count, stage) => {
        const { refusals, relocations } = planDrain(now, first(now), settings);
        if (refusals.length > 0 || relocations.length === 0) return;
        const recorded = relocations.reduce(
          (state, one) => relocated(state, one, "recorded"),
          withNode(now, "n1", { isEligible: false }),
        );
        const finished = relocations
          .slice(0, count)
          .reduce((state, one) => relocated(state, one, "finished"), recorded);
        const one = relocations[count];
        const interrupted = one === undefined ? finished : relocated(finished, one, stage);
        // The room of the nodes changes with what has started there, which the model leaves out.
        const again = planDrain(interrupted, first(interrupted), { ...settings, maxSessions: 10_000 });
        const hasLeft = one !== undefined && (stage === "started" || stage === "finished");
        const rest = relocations.slice(hasLeft ? count + 1 : count);
        expect(again.relocations.map(({ shard, to }) => [shard, to.id])).toEqual(
          rest.map(({ shard, to }) => [shard, to.id]),
        );
        expect(again.finished).toEqual(one !== undefined && stage === "started" ? [one.shard] : []);
      }),
    );
  });
});
