import { describe, expect, test } from "bun:test";
import { faultsOf } from "./verdict.ts";

const clean = {
  messages: 100,
  lost: 0,
  duplicates: 0,
  reordered: 0,
  qr_scans: 0,
  two_owners: 0,
  failed_requests: 0,
  calls_lost: 0,
  calls_refused: 0,
  placement_ok: true,
  blip_restarts: 0,
  node_lost_restore_s_max: 40.2,
  leader_lost_s_max: 9.9,
  failed_steps: {},
};

describe("faultsOf", () => {
  test("accepts a clean run", () => {
    expect(faultsOf(clean)).toEqual([]);
  });

  test.each([
    ["lost", 1],
    ["two_owners", 1],
    ["failed_requests", 2],
    ["calls_lost", 1],
    ["calls_refused", 1],
    ["placement_ok", false],
    ["blip_restarts", 1],
    ["agents_upgraded_restarts", 1],
    ["drain_failed_requests", 1],
    ["servers_lost_faults", 1],
    ["node_lost_restore_s_max", 61],
    ["leader_lost_s_max", 10.1],
    ["messages", 0],
    ["failed_steps", { drain: "the drain left api" }],
  ])("reports %s of %p", (key, value) => {
    expect(faultsOf({ ...clean, [key]: value })).toHaveLength(1);
  });

  test("reports a figure that was not measured", () => {
    const { two_owners: _, ...rest } = clean;
    expect(faultsOf(rest)).toEqual(["two_owners is undefined"]);
    expect(faultsOf({ ...clean, leader_lost_s_max: Number.NaN })).toEqual(["leader_lost_s_max is null, over 10"]);
  });
});
