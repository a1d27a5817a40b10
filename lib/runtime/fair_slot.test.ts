import { describe, expect, test } from "bun:test";
import { FairSlot } from "./fair_slot.ts";

describe("FairSlot", () => {
  test("grants one holder at a time", async () => {
    const slot = new FairSlot();
    const release = (await slot.acquire("a", 1_000))!;
    const second = slot.acquire("b", 60_000);
    expect(Bun.peek.status(second)).toBe("pending");
    release();
    expect(await second).toBeFunction();
  });

  test("alternates between keys, however many wait of each", async () => {
    const slot = new FairSlot();
    const order: string[] = [];
    const hold = (await slot.acquire("a", 60_000))!;
    const waiting = ["a1", "a2", "a3", "b1", "c1", "b2"].map(async (name) => {
      const release = (await slot.acquire(name[0]!, 60_000))!;
      order.push(name);
      release();
    });
    hold();
    await Promise.all(waiting);
    expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  });

  test("gives up after maxWaitMs without losing the slot", async () => {
    const slot = new FairSlot();
    const hold = (await slot.acquire("a", 60_000))!;
    expect(await slot.acquire("b", 1)).toBeUndefined();
    hold();
    hold();
    expect(await slot.acquire("c", 60_000)).toBeFunction();
    expect(await slot.acquire("c", 1)).toBeUndefined();
  });
});
