import { describe, expect, test } from "bun:test";
import { FairSlots } from "./fair_slots.ts";

const single = () => new FairSlots({ total: 1, share: 1 });

describe("FairSlots", () => {
  test("grants one holder at a time", async () => {
    const slots = single();
    expect(slots.take("a")).toBeTrue();
    expect(slots.take("b")).toBeFalse();
    const second = slots.acquire("b", 60_000);
    expect(Bun.peek.status(second)).toBe("pending");
    slots.giveBack("a");
    expect(await second).toBeTrue();
  });

  test("alternates between owners, however many wait of each", async () => {
    const slots = single();
    const order: string[] = [];
    slots.take("a");
    const waiting = ["a1", "a2", "a3", "b1", "c1", "b2"].map(async (name) => {
      const owner = name[0]!;
      await slots.acquire(owner, 60_000);
      order.push(name);
      slots.giveBack(owner);
    });
    slots.giveBack("a");
    await Promise.all(waiting);
    expect(order).toEqual(["a1", "b1", "c1", "a2", "b2", "a3"]);
  });

  test("gives an undefined owner every second turn", async () => {
    const slots = single();
    const order: string[] = [];
    slots.take("a");
    const waiting = ["a", "b", "c", "d", undefined, undefined].map(async (owner) => {
      await slots.acquire(owner, 60_000);
      order.push(owner ?? "none");
      slots.giveBack(owner);
    });
    slots.giveBack("a");
    await Promise.all(waiting);
    expect(order).toEqual(["none", "a", "none", "b", "c", "d"]);
  });

  test("leaves slots beyond an owner's share to others", async () => {
    const slots = new FairSlots({ total: 4, share: 2, reserved: 1 });
    expect(["a", "a", "a", undefined, "b"].map((owner) => slots.take(owner))).toEqual([true, true, false, true, true]);
    const [a, b] = [slots.acquire("a", 60_000), slots.acquire("b", 60_000)];
    slots.giveBack(undefined);
    // Its last slot is for an owner without one.
    expect([Bun.peek.status(a), Bun.peek.status(b)]).toEqual(["pending", "pending"]);
    slots.giveBack("a");
    expect(await a).toBeTrue();
    expect(Bun.peek.status(b)).toBe("pending");
    slots.giveBack("a");
    expect(await b).toBeTrue();
  });

  test("gives up after maxWaitMs without losing the slot", async () => {
    const slots = single();
    slots.take("a");
    expect(await slots.acquire("b", 1)).toBeFalse();
    slots.giveBack("a");
    expect(await slots.acquire("c", 60_000)).toBeTrue();
    expect(await slots.acquire("c", 1)).toBeFalse();
  });

  test("bounds the waiters of one owner", async () => {
    const slots = new FairSlots({ total: 1, share: 1 }, 2);
    slots.take("a");
    const waiting = [slots.acquire("a", 60_000), slots.acquire("a", 60_000)];
    expect(Bun.peek(slots.acquire("a", 60_000))).toBeFalse();
    const other = slots.acquire("b", 60_000);
    expect(Bun.peek.status(other)).toBe("pending");
    for (const owner of ["a", "a", "b"]) slots.giveBack(owner);
    expect(await Promise.all([...waiting, other])).toEqual([true, true, true]);
  });
});
