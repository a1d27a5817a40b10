import { describe, expect, test } from "bun:test";
import { decide } from "./rules.ts";
import type { Step } from "./rules.ts";
import type { Placement } from "../../../lib/contracts/shard/moves.ts";

const order = (fence: number) => ({ move_id: `move-${fence}`, fence });
const at = (state: Placement["state"], fence: number) => ({ state, ...order(fence) });
const every: Step[] = ["stop", "bundle", "tombstone", "reopen", "take", "open", "discard"];

/** Applies orders one by one on one shard; the state after each, or "refused". */
function walk(...orders: [Step, number][]) {
  let present: ReturnType<typeof at> | undefined;
  return orders.map(([step, fence]) => {
    const decision = decide(step, present, order(fence));
    if ("refused" in decision) return "refused";
    if ("becomes" in decision) present = at(decision.becomes, fence);
    return present!.state;
  });
}

describe("the rules of a move", () => {
  test("let a source stop, bundle and leave, repeatably", () => {
    expect(walk(["stop", 1], ["stop", 1], ["bundle", 1], ["bundle", 1], ["tombstone", 1], ["tombstone", 1])).toEqual([
      "leaving",
      "leaving",
      "leaving",
      "leaving",
      "gone",
      "gone",
    ]);
  });

  test("let a target take repeatedly and open once", () => {
    expect(walk(["take", 1], ["take", 1], ["open", 1], ["open", 1])).toEqual(["arriving", "arriving", "here", "here"]);
  });

  test("keep the login away after the tombstone", () => {
    expect(walk(["stop", 1], ["tombstone", 1], ["reopen", 1], ["stop", 1], ["bundle", 1], ["open", 1])).toEqual([
      "leaving",
      "gone",
      "refused",
      "refused",
      "refused",
      "refused",
    ]);
  });

  test("allow a return by a later move", () => {
    expect(walk(["stop", 1], ["tombstone", 1], ["take", 2], ["open", 2], ["stop", 3])).toEqual([
      "leaving",
      "gone",
      "arriving",
      "here",
      "leaving",
    ]);
  });

  test("refuse a rolled-back move's orders", () => {
    expect(walk(["stop", 1], ["reopen", 1], ["stop", 1], ["bundle", 1], ["tombstone", 1], ["reopen", 1])).toEqual([
      "leaving",
      "here",
      "refused",
      "refused",
      "refused",
      "here",
    ]);
    expect(walk(["take", 1], ["discard", 1], ["take", 1], ["open", 1])).toEqual([
      "arriving",
      "gone",
      "refused",
      "refused",
    ]);
  });

  test("let an early rollback block its move", () => {
    expect(walk(["reopen", 1], ["stop", 1])).toEqual(["here", "refused"]);
    expect(walk(["discard", 1], ["take", 1])).toEqual(["gone", "refused"]);
  });

  test("refuse an older fence in every state", () => {
    for (const state of ["leaving", "gone", "arriving", "here"] as const) {
      for (const step of every)
        expect(decide(step, at(state, 5), order(4)), `${step} ${state}`).toHaveProperty("refused");
    }
  });

  test("protect an open business from take and discard", () => {
    expect(decide("take", at("here", 1), order(2))).toHaveProperty("refused");
    expect(decide("discard", at("here", 1), order(2))).toHaveProperty("refused");
  });

  test("require a move to begin with its first order", () => {
    const begun = every.filter((step) => !("refused" in decide(step, undefined, order(1))));
    expect(begun.toSorted()).toEqual(["discard", "reopen", "stop", "take"]);
  });
});
