import { describe, expect, test } from "bun:test";
import type { CopySurvey } from "../operator/survey_copies.ts";
import { blockersOf, decideRestore, decideWatch, isTakingLock, shardsSharing } from "./rules.ts";
import type { AttemptState, Node, ShardState, ShardVolume } from "./rules.ts";

const node = (number: number, over: Partial<Node> = {}): Node => ({
  id: `id-${number}`,
  name: `client-${number}`,
  status: "ready",
  isEligible: true,
  isAlive: true,
  ...over,
});
const lost = node(1, { status: "disconnected", isAlive: false });
const volumeOn = (one: Node, over: Partial<ShardVolume> = {}): ShardVolume => ({
  id: `volume-${one.name}`,
  node: one,
  nodeId: one.id,
  ...over,
});
const copy = (over: Partial<CopySurvey> = {}): CopySurvey => ({
  shard: 2,
  epoch: 1,
  leased: false,
  lease_left_ms: -120_000,
  restoring: false,
  exact: true,
  appended_ago_s: 135,
  snapshot_bytes: 1,
  tail_rows: 0,
  tail_bytes: 0,
  fault: null,
  ...over,
});
/** A shard whose node was lost two minutes ago. */
const lostShard = (over: Partial<ShardState> = {}): ShardState => ({
  shard: 2,
  count: 3,
  allocation: { id: "0123456789", status: "unknown", node: lost },
  isOwner: false,
  isLocked: false,
  volumes: [volumeOn(lost)],
  copy: copy(),
  attempt: null,
  relocatesTo: null,
  keptOn: [],
  ...over,
});
const running = (over: Partial<ShardState> = {}): ShardState =>
  lostShard({
    allocation: { id: "0123456789", status: "running", node: node(2) },
    isOwner: true,
    isLocked: true,
    volumes: [volumeOn(node(2))],
    copy: copy({ leased: true, lease_left_ms: 14_000 }),
    ...over,
  });
const attempt = (over: Partial<AttemptState> = {}): AttemptState => ({
  volumeNode: "id-3",
  agoMs: 20_000,
  owner: null,
  wasStarted: false,
  ...over,
});
const interrupted = { attempt: attempt(), volumes: [volumeOn(lost), volumeOn(node(3))] };

const limits = { afterMs: 60_000, perHour: 2, leaseMs: 15_000 };

describe("decideRestore", () => {
  test("makes a volume elsewhere and purges the node", () => {
    expect(decideRestore(lostShard())).toEqual({ do: "restore", purge: lost, spare: [], madeOn: null });
  });

  test("needs no purge once Nomad has forgotten the node", () => {
    const gone = volumeOn(lost, { node: null });
    for (const allocation of [null, { id: "0123456789", status: "pending", node: null }])
      expect(decideRestore(lostShard({ allocation, volumes: [gone] }))).toMatchObject({ do: "restore", purge: null });
  });

  test("continues with the volume of an interrupted run", () => {
    expect(decideRestore(lostShard(interrupted))).toMatchObject({ madeOn: node(3), spare: [] });
  });

  test.each([null, attempt({ volumeNode: "id-2" }), attempt({ volumeNode: "id-1", owner: "id-1" })])(
    "keeps a ready node's volume without an allocation",
    (last) => {
      const healthy = node(1, { isEligible: last !== null });
      const state = lostShard({ allocation: null, volumes: [volumeOn(healthy)], attempt: last });
      expect(decideRestore(state)).toMatchObject({
        do: "refuse",
        why: expect.stringMatching(/client-1 is ready and has the volume of shard 2: make the node eligible, free/),
      });
      expect(decideWatch([state], limits)).toMatchObject({ due: [], outdated: [] });
    },
  );

  test("deletes a volume that a former restore left behind", () => {
    const outdated = volumeOn(node(2));
    const volumes = [volumeOn(lost), outdated];
    const state = lostShard({ attempt: attempt({ volumeNode: "id-1", owner: "id-1" }), volumes });
    expect(decideRestore(state)).toMatchObject({ do: "restore", spare: [outdated], madeOn: null });
  });

  test("refuses while a volume is not proven outdated", () => {
    const state = lostShard({ ...interrupted, volumes: [...interrupted.volumes, volumeOn(node(2))] });
    const decision = decideRestore(state);
    expect(decision).toMatchObject({ do: "refuse", why: expect.stringContaining("-type=host volume-client-2") });
  });

  test("replaces an unused volume on another node", () => {
    const made = volumeOn(node(3));
    const expected = { do: "restore", spare: [made], madeOn: null };
    expect(decideRestore(lostShard(interrupted), "client-4")).toMatchObject(expected);
    expect(decideRestore(lostShard(interrupted), "client-3")).toMatchObject({ spare: [], madeOn: node(3) });
    const ineligible = volumeOn(node(3, { isEligible: false }));
    const state = lostShard({ ...interrupted, volumes: [volumeOn(lost), ineligible] });
    expect(decideRestore(state)).toMatchObject({ ...expected, spare: [ineligible] });
    expect(decideRestore({ ...state, attempt: attempt({ wasStarted: true }) }).do).toBe("refuse");
  });

  test("continues with the volume of an interrupted drain", () => {
    const state = lostShard({ relocatesTo: "id-3", volumes: [volumeOn(lost), volumeOn(node(3))] });
    expect(decideRestore(state)).toMatchObject({ do: "restore", spare: [], madeOn: node(3) });
  });

  test("follows an allocation that an interrupted run started", () => {
    const allocation = { id: "0123456789", status: "running", node: node(3) };
    const state = lostShard({ ...interrupted, allocation });
    expect(decideRestore(state)).toEqual({ do: "follow", node: node(3), isProven: false });
    for (const over of [attempt({ agoMs: 3_600_000 }), attempt({ owner: "id-3" })])
      expect(decideRestore({ ...state, attempt: over }).do).toBe("refuse");
  });

  test("follows an owner that is not recorded yet", () => {
    const restored = running({ attempt: attempt({ volumeNode: "id-2", agoMs: 7_200_000 }) });
    expect(decideRestore(restored)).toEqual({ do: "follow", node: node(2), isProven: true });
    expect(decideWatch([restored], limits).due).toEqual([2]);
    const restoring = copy({ leased: true, restoring: true });
    expect(decideRestore({ ...restored, copy: restoring })).toMatchObject({ do: "follow", isProven: false });
    for (const unproven of [null, copy({ leased: true, fault: "it has a gap" })])
      expect(decideRestore({ ...restored, copy: unproven })).toMatchObject({ do: "keep", outdated: [] });
    const recorded = attempt({ volumeNode: "id-2", owner: "id-2" });
    expect(decideRestore({ ...restored, attempt: recorded }).do).toBe("keep");
  });

  test("awaits the lock of a shard that runs", () => {
    expect(isTakingLock(running())).toBeFalse();
    expect(isTakingLock(running({ isOwner: false, isLocked: false }))).toBeTrue();
    expect(isTakingLock(running({ copy: copy() }))).toBeTrue();
    expect(isTakingLock(running({ isOwner: false, attempt: attempt() }))).toBeFalse();
    expect(isTakingLock(lostShard())).toBeFalse();
  });

  test("keeps a shard that runs", () => {
    expect(decideRestore(running())).toEqual({ do: "keep", node: node(2), outdated: [] });
  });

  test.each<[string, ShardState["copy"]]>([
    ["no copy", null],
    ["a gap", copy({ leased: true, fault: "it has a gap" })],
    ["a restore in progress", copy({ leased: true, restoring: true })],
  ])("keeps every volume with %s", (_, owned) => {
    const state = running({ copy: owned, volumes: [volumeOn(node(1)), volumeOn(node(2))] });
    expect(decideRestore(state)).toEqual({ do: "keep", node: node(2), outdated: [] });
  });

  test("deletes the outdated volume of a returned node", () => {
    const outdated = volumeOn(node(1));
    expect(decideRestore(running({ volumes: [outdated, volumeOn(node(2))] }))).toEqual({
      do: "keep",
      node: node(2),
      outdated: [outdated],
    });
  });

  test("keeps a volume that node:drain keeps", () => {
    const kept = volumeOn(node(1));
    const keptOn = ["id-1", "id-2"];
    const decision = decideRestore(running({ volumes: [kept, volumeOn(node(2))], keptOn }));
    expect(decision).toEqual({ do: "keep", node: node(2), outdated: [] });
    const lostAgain = lostShard({
      allocation: { id: "0123456789", status: "unknown", node: { ...lost, id: "id-2" } },
      volumes: [kept],
      attempt: attempt({ volumeNode: "id-2", owner: "id-2" }),
    });
    expect(decideRestore(lostAgain)).toMatchObject({ do: "restore", spare: [kept] });
    expect(decideRestore({ ...lostAgain, keptOn }).do).toBe("refuse");
  });

  test("keeps every volume while the owner is unknown", () => {
    const volumes = [volumeOn(node(1)), volumeOn(node(2))];
    expect(decideRestore(running({ volumes, isOwner: false })).do).toBe("refuse");
    expect(decideRestore(running({ volumes, copy: copy() })).do).toBe("refuse");
  });

  test.each<[string, Partial<ShardState>, RegExp]>([
    ["beyond the count", { shard: 4 }, /has 3/],
    ["without a copy", { copy: null }, /WA_DURABILITY is local/],
    ["whose copy has a gap", { copy: copy({ fault: "it has a gap" }) }, /a gap.*--discard 2/],
    [
      "on a node that is ready",
      { allocation: { id: "0123456789", status: "running", node: node(1) } },
      /01234567 .* is running on client-1, which is ready/,
    ],
  ])("refuses a shard %s", (_, over, why) => {
    const decision = decideRestore(lostShard(over));
    expect(decision).toMatchObject({ do: "refuse", why: expect.stringMatching(why) });
  });
});

describe("shardsSharing", () => {
  test("includes unnamed shards of a purged node", () => {
    const live = lostShard({ shard: 3, isLocked: true, copy: copy({ leased: true }) });
    const elsewhere = running({ shard: 1 });
    const sharing = shardsSharing([lost], [2], [elsewhere, lostShard(), live]);
    expect(sharing).toEqual([live]);
    expect(sharing.flatMap((state) => blockersOf(state, true))).toEqual([
      "the owner of shard 3 holds its lease in Postgres",
      "the owner of shard 3 holds its lock in Consul",
    ]);
  });
});

describe("decideWatch", () => {
  const dueOf = (...states: ShardState[]) => decideWatch(states, limits).due;
  const whyOf = (state: ShardState) => decideWatch([state], limits).waiting[0]?.why;

  test("restores a shard whose owner was lost long enough", () => {
    expect(dueOf(lostShard())).toEqual([2]);
  });

  test.each<[string, Partial<ShardState>, string]>([
    ["the lease", { copy: copy({ leased: true, lease_left_ms: 9_000 }) }, "holds the lease"],
    ["the lock", { isLocked: true }, "holds the lock"],
    [
      "a node that Consul reaches",
      { allocation: { id: "0", status: "unknown", node: { ...lost, isAlive: true } } },
      "Consul reaches client-1",
    ],
    ["the time limit", { copy: copy({ lease_left_ms: -44_000 }) }, "less than the limit"],
    [
      "an operator after a restore",
      { attempt: attempt({ volumeNode: "id-1", agoMs: 3_599_000 }) },
      "within the last hour",
    ],
    ["a shard that cannot be restored", { copy: null }, "WA_DURABILITY is local"],
  ])("waits for %s", (_, over, why) => {
    expect(dueOf(lostShard(over))).toEqual([]);
    expect(whyOf(lostShard(over))).toContain(why);
  });

  test("bounds the restores of an hour", () => {
    const states = [1, 2, 3].map((shard) => lostShard({ shard }));
    expect(decideWatch(states, limits)).toMatchObject({ due: [1, 2], waiting: [{ shard: 3 }] });
    const recent = running({ shard: 1, attempt: attempt({ volumeNode: "id-2", owner: "id-2", agoMs: 60_000 }) });
    expect(dueOf(recent, lostShard({ shard: 2 }), lostShard({ shard: 3 }))).toEqual([2]);
  });

  test("completes an interrupted restore", () => {
    expect(dueOf(lostShard(interrupted))).toEqual([2]);
    const allocation = { id: "0123456789", status: "pending", node: node(3) };
    expect(dueOf(lostShard({ ...interrupted, allocation }))).toEqual([2]);
  });

  test("begins and completes no restore while it is off", () => {
    const unrecorded = running({ attempt: attempt({ volumeNode: "id-2" }) });
    const returned = running({ shard: 3, volumes: [volumeOn(node(1)), volumeOn(node(2))] });
    const off = decideWatch([unrecorded, returned, lostShard({ shard: 1 })], { ...limits, afterMs: Infinity });
    expect(off).toMatchObject({ due: [], outdated: [3], waiting: [{ shard: 2 }, { shard: 1 }] });
  });

  test("has outdated volumes deleted", () => {
    const states = [running({ volumes: [volumeOn(node(1)), volumeOn(node(2))] }), running({ shard: 3 })];
    expect(decideWatch(states, limits)).toMatchObject({ due: [], outdated: [2] });
  });

  test("leaves running shards alone", () => {
    expect(decideWatch([running()], limits)).toEqual({ due: [], outdated: [], waiting: [] });
  });
});
