import { describe, expect, test } from "bun:test";
import type { CopySurvey } from "../../operator/survey_copies.ts";
import type { ShardState } from "../../restore/rules.ts";
import { judgeCopies } from "./copies.ts";
import { judgeShards } from "./shards.ts";

const node = (name: string, status = "ready") => ({ id: name, name, status, isEligible: true, isAlive: true });
const volume = (name: string) => ({ id: `v-${name}`, nodeId: name, node: node(name) });
const state = (over: Partial<ShardState> = {}): ShardState => ({
  shard: 1,
  count: 1,
  allocation: { id: "a1", status: "running", node: node("client-1") },
  isOwner: true,
  isLocked: true,
  volumes: [volume("client-1")],
  copy: null,
  attempt: null,
  relocatesTo: null,
  keptOn: [],
  ...over,
});
const judged = (over: Partial<ShardState> = {}, counts: { inConsul?: number | null; requested?: number } = {}) =>
  judgeShards({ requested: 1, inConsul: 1, ...counts, states: [state(over)] }).map(({ severity, found }) => [
    severity,
    found,
  ]);

describe("shards", () => {
  test("with an owner and a volume are healthy", () => {
    expect(judged()).toEqual([]);
    expect(judged({}, { inConsul: null })).toEqual([]);
  });

  test("without an owner are an error", () => {
    expect(judged({ isLocked: false, isOwner: false })).toEqual([
      ["error", expect.stringContaining("Shard 1 has no owner: no process holds its lock")],
    ]);
  });

  test("owned by another process are an error", () => {
    expect(judged({ isOwner: false })).toEqual([
      ["error", expect.stringContaining("The lock of shard 1 is held by another process")],
    ]);
  });

  test("on a lost node ask for a restore", () => {
    const lost = { allocation: { id: "a1", status: "unknown", node: node("client-2", "disconnected") } };
    const [fault] = judgeShards({ requested: 1, inConsul: 1, states: [state({ ...lost, isLocked: false })] });
    expect(fault?.found).toContain("Shard 1 is on node client-2, which is disconnected");
    expect(fault?.help).toContain("task restore SHARD=1");
  });

  test("without a volume are an error", () => {
    expect(judged({ volumes: [] })).toEqual([["error", "Shard 1 has no volume, so that it cannot start."]]);
  });

  test("with two volumes are a warning", () => {
    const volumes = [volume("client-1"), volume("client-2")];
    expect(judged({ volumes })).toEqual([["warning", "Shard 1 has 2 volumes, on client-1, client-2; one is current."]]);
    // A drain keeps the former volume where the copy may lack its last changes.
    expect(judged({ volumes, keptOn: ["client-2"] })).toEqual([]);
    expect(judged({ volumes, relocatesTo: "client-2" })[0]?.[1]).toContain("is being relocated");
  });

  test("counted differently by Consul are an error", () => {
    const [fault] = judgeShards({ requested: 2, inConsul: 3, states: [] });
    expect(fault).toMatchObject({ severity: "error", help: "Run it again: task scale:shards N=3" });
    expect(fault?.found).toContain("Consul KV counts 3 shards, the job requests 2");
  });
});

describe("copies", () => {
  const copy = (over: Partial<CopySurvey> = {}): CopySurvey => ({
    shard: 1,
    epoch: 1,
    leased: true,
    lease_left_ms: 9_000,
    restoring: false,
    exact: true,
    appended_ago_s: 3_600,
    snapshot_bytes: 1,
    tail_rows: 1,
    tail_bytes: 1,
    fault: null,
    ...over,
  });
  const found = (...copies: CopySurvey[]) =>
    judgeCopies({ shards: 1, copies: new Map(copies.map((one) => [one.shard, one])) }).map((fault) => fault.found);

  test("of an idle shard are current", () => expect(found(copy())).toEqual([]));

  test("are not missed where shards keep none", () => {
    expect(judgeCopies({ shards: 2, copies: null })).toEqual([]);
  });

  test.each([
    [[], "it has no copy."],
    [[copy({ fault: "it has no snapshot yet" })], "it has no snapshot yet."],
    [[copy({ leased: false, lease_left_ms: -600_000 })], "no process has renewed its lease for 10 min."],
  ])("report the fault of %j", (copies, why) => {
    expect(found(...copies)).toEqual([expect.stringMatching(new RegExp(`^Shard 1 could not be restored.*${why}$`))]);
  });

  test("during a takeover are no fault", () => {
    expect(found(copy({ lease_left_ms: -20_000 }))).toEqual([]);
    expect(found(copy({ lease_left_ms: -600_000, restoring: true }))).toEqual([]);
  });
});
