import { expect, test } from "bun:test";
import { decide } from "./rules.ts";
import type { Step } from "./rules.ts";
import type { Placement } from "../../../lib/contracts/shard/moves.ts";

const order = (fence: number) => ({ move_id: `move-${fence}`, fence });
const at = (state: Placement["state"], fence: number) => ({ state, ...order(fence) });
const every: Step[] = ["stop", "bundle", "tombstone", "reopen", "take", "open", "discard"];

/** Carries out orders one after the other on one shard; the state after each, or "refused". */
function walk(...orders: [Step, number][]) {
  let present: ReturnType<typeof at> | undefined;
  return orders.map(([step, fence]) => {
    const decision = decide(step, present, order(fence));
    if ("refused" in decision) return "refused";
    if ("becomes" in decision) present = at(decision.becomes, fence);
    return present!.state;
  });
}

test("a source goes from stop over bundle to its tombstone, and each order may be repeated", () => {
  expect(walk(["stop", 1], ["stop", 1], ["bundle", 1], ["bundle", 1], ["tombstone", 1], ["tombstone", 1])).toEqual([
    "leaving",
    "leaving",
    "leaving",
    "leaving",
    "gone",
    "gone",
  ]);
});

test("a target takes as often as it is told to, and opens once for all", () => {
  expect(walk(["take", 1], ["take", 1], ["open", 1], ["open", 1])).toEqual(["arriving", "arriving", "here", "here"]);
});

test("after the tombstone nothing of the same move brings the login back", () => {
  expect(walk(["stop", 1], ["tombstone", 1], ["reopen", 1], ["stop", 1], ["bundle", 1], ["open", 1])).toEqual([
    "leaving",
    "gone",
    "refused",
    "refused",
    "refused",
    "refused",
  ]);
});

test("a business may come back by a later move, and leave again", () => {
  expect(walk(["stop", 1], ["tombstone", 1], ["take", 2], ["open", 2], ["stop", 3])).toEqual([
    "leaving",
    "gone",
    "arriving",
    "here",
    "leaving",
  ]);
});

test("after a rollback the orders of that move are refused: a mover that slept must not stop the session again", () => {
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

test("a rollback that overtakes its own first order holds it off", () => {
  expect(walk(["reopen", 1], ["stop", 1])).toEqual(["here", "refused"]);
  expect(walk(["discard", 1], ["take", 1])).toEqual(["gone", "refused"]);
});

test("an order with an older fence is refused in every state", () => {
  for (const state of ["leaving", "gone", "arriving", "here"] as const) {
    for (const step of every)
      expect(decide(step, at(state, 5), order(4)), `${step} ${state}`).toHaveProperty("refused");
  }
});

test("a business that is open here is neither taken nor discarded, whatever the fence", () => {
  expect(decide("take", at("here", 1), order(2))).toHaveProperty("refused");
  expect(decide("discard", at("here", 1), order(2))).toHaveProperty("refused");
});

test("without a word of this move, only what begins one is done", () => {
  const begun = every.filter((step) => !("refused" in decide(step, undefined, order(1))));
  expect(begun.toSorted()).toEqual(["discard", "reopen", "stop", "take"]);
});
