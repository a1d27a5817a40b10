import { describe, expect, test } from "bun:test";
import { decideClaim } from "./claim_rules.ts";
import type { CopyState } from "./claim_rules.ts";
import type { CopyRecord } from "./copy_record.ts";

const copy = (more: Partial<CopyState> = {}): CopyState => ({
  epoch: 5,
  volume: "own",
  state: "live",
  complete: true,
  exact: false,
  lease_left_ms: -1,
  tail_seq: 40,
  snapshot_key: "k",
  ...more,
});
const record = (more: Partial<CopyRecord> = {}): CopyRecord => ({
  volume: "own",
  epoch: 5,
  state: "live",
  behind: false,
  schema: "s",
  key: "k1",
  end: 40,
  ...more,
});
const unwritten = (more: Partial<CopyState> = {}) =>
  copy({ complete: false, snapshot_key: null, tail_seq: 0, ...more });
const used = (more: Partial<CopyRecord> = {}) => ({ isEmpty: false, record: record(more), exact: false });
const empty = { isEmpty: true, record: undefined, exact: false };

describe("the claim of a copy", () => {
  test.each([
    ["creates the first copy", { ...empty, isEmpty: false }, undefined, "first"],
    ["creates it for an empty volume", empty, undefined, "first"],
    ["repeats a first claim on its own volume", { ...empty, record: record() }, unwritten(), "first"],
    ["repeats a first claim on another volume", empty, unwritten({ volume: "other" }), "first"],
    ["waits for the lease of a first claim", empty, unwritten({ volume: "other", lease_left_ms: 1 }), "wait"],
    ["refuses rows without a snapshot", empty, unwritten({ volume: "other", tail_seq: 1 }), "refused"],
    ["goes on after a clean stop", used(), copy(), "resume"],
    ["needs no lease on the own volume", used(), copy({ lease_left_ms: 9_000 }), "resume"],
    ["takes a snapshot after a kill", used({ end: null }), copy(), "snapshot"],
    ["takes a snapshot if the tail ends elsewhere", used(), copy({ tail_seq: 41 }), "snapshot"],
    ["takes a snapshot after a claim that was not finished", used({ epoch: 6, end: null }), copy(), "snapshot"],
    ["refuses a volume that was rolled back", used({ epoch: 4 }), copy(), "refused"],
    ["refuses a volume whose state was deleted", { ...empty, record: record() }, copy(), "refused"],
    ["refuses a former owner's volume", used(), copy({ volume: "other" }), "refused"],
    ["refuses state of a volume without a record", { ...empty, isEmpty: false }, copy(), "refused"],
    ["waits for another volume's lease", empty, copy({ volume: "other", lease_left_ms: 1 }), "wait"],
    ["restores an empty volume", empty, copy({ volume: "other" }), "restore"],
    ["refuses a copy with a gap", empty, copy({ volume: "other", complete: false }), "refused"],
    ["repeats an interrupted restore", { ...empty, record: record({ state: "restoring" }) }, copy(), "restore"],
  ] as const)("%s", (_, own, state, decision) => expect(decideClaim(own, state).do).toBe(decision));

  test.each([
    ["while Postgres kept up", { behind: false, exact: false, wasExact: false }, true],
    ["not while Postgres lagged", { behind: true, exact: false, wasExact: false }, false],
    ["while nothing left before Postgres had it", { behind: true, exact: true, wasExact: true }, true],
    ["not if the copy was not exact before", { behind: true, exact: true, wasExact: false }, false],
  ])("leaves the copy complete after a kill %s", (_, { behind, exact, wasExact }, isComplete) => {
    const decision = decideClaim({ ...used({ end: null, behind }), exact }, copy({ exact: wasExact }));
    expect(decision).toEqual({ do: "snapshot", isComplete });
  });
});
