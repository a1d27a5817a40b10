import { describe, expect, test } from "bun:test";
import { epochToProve, missingAtTarget, wasStoredAtStop } from "./target_proof.ts";
import type { TargetState } from "./target_proof.ts";

const proven: TargetState = {
  shard: 1,
  node: { id: "n2", name: "client-2" },
  allocation: { nodeId: "n2", status: "running" },
  instances: [
    {
      Service: { Address: "10.0.0.2", Port: 4000, Meta: { shard: "1" } },
      Checks: [{ Status: "passing" }],
    },
  ],
  owner: { value: '{"address":"10.0.0.2","port":4000}', session: "s" },
  copy: { leased: true, restoring: false, fault: null },
};

describe("missingAtTarget", () => {
  test("accepts a restored owner, and one without a copy", () => {
    expect(missingAtTarget(proven)).toBeNull();
    expect(missingAtTarget({ ...proven, copy: undefined })).toBeNull();
  });

  test.each([
    ["a missing allocation", { allocation: undefined }, "no allocation"],
    ["a pending allocation", { allocation: { nodeId: "n2", status: "pending" } }, "pending"],
    ["an allocation elsewhere", { allocation: { nodeId: "n1", status: "running" } }, "not running on client-2"],
    ["a failing check", { instances: [] }, "does not pass its checks"],
    ["a free owner lock", { owner: null }, "owner lock"],
    [
      "the lock of another process",
      { owner: { value: '{"address":"10.0.0.1","port":1}', session: "s" } },
      "owner lock",
    ],
    ["a restore", { copy: { leased: true, restoring: true, fault: null } }, "restores"],
    ["an ended lease", { copy: { leased: false, restoring: false, fault: null } }, "lease"],
    ["an incomplete copy", { copy: { leased: true, restoring: false, fault: "it has a gap" } }, "it has a gap"],
  ] as [string, Partial<TargetState>, string][])("waits during %s", (_, over, reason) => {
    expect(missingAtTarget({ ...proven, ...over })).toContain(reason);
  });
});

describe("epochToProve", () => {
  test.each([
    ["none without a copy", undefined, undefined],
    ["none for an exact copy", { epoch: 4, exact: true }, undefined],
    ["the owner's for a copy that may lag", { epoch: 4, exact: false }, 4],
  ])("is %s", (_, copy, expected) => {
    expect(epochToProve(copy)).toBe(expected);
  });
});

describe("wasStoredAtStop", () => {
  const copy = { epoch: 4, leased: true, exact: false, restoring: false };
  test.each([
    ["open while the former owner runs", copy, null],
    ["open while a `required` owner runs", { ...copy, exact: true }, null],
    ["open after a lease that expired", { ...copy, leased: false }, null],
    ["proven by a clean stop", { ...copy, leased: false, exact: true }, true],
    ["proven during the restore", { ...copy, epoch: 5, exact: true, restoring: true }, true],
    ["refuted by the restore of an inexact copy", { ...copy, epoch: 5, restoring: true }, false],
  ])("is %s", (_, now, expected) => {
    expect(wasStoredAtStop(4, now)).toBe(expected);
  });
});
