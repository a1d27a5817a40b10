import { describe, expect, test } from "bun:test";
import { once, Slots } from "./slots.ts";

describe("Slots", () => {
  test("caps each owner at its share and the total", () => {
    const slots = new Slots({ total: 4, share: 2 });
    expect([slots.take("a"), slots.take("a"), slots.take("a")]).toEqual([null, null, "share"]);
    expect([slots.take("b"), slots.take(undefined), slots.take("c")]).toEqual([null, null, "full"]);
    expect([slots.inUse, slots.heldBy("a")]).toEqual([4, 2]);
  });

  test("reserves slots for owners without one", () => {
    const slots = new Slots({ total: 4, share: 2, reserved: 1 });
    expect(["a", "a", "b", "b"].map((owner) => slots.take(owner))).toEqual([null, null, null, "share"]);
    expect([slots.take("c"), slots.take("d")]).toEqual([null, "full"]);
    slots.giveBack("a");
    expect([slots.take("b"), slots.take("d")]).toEqual(["share", null]);
  });

  test("frees a slot that is given back", () => {
    const slots = new Slots({ total: 2, share: 1 });
    slots.take("a");
    slots.giveBack("a");
    expect([slots.inUse, slots.heldBy("a"), slots.take("a")]).toEqual([0, 0, null]);
  });
});

test("once calls its function a single time", () => {
  let runs = 0;
  const run = once(() => (runs += 1));
  run();
  run();
  expect(runs).toBe(1);
});
