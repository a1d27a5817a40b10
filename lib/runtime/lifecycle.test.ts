import { describe, expect, test } from "bun:test";
import { createLifecycle } from "./lifecycle.ts";

describe("stop", () => {
  test("closes in reverse order despite a failing closer", async () => {
    const order: string[] = [];
    const failed: string[] = [];
    const life = createLifecycle("test", (label) => failed.push(label));
    life.onStop("pool", async () => {
      await Bun.sleep(1);
      order.push("pool");
    });
    life.onStop("queue", () => {
      throw new Error("cannot");
    });
    life.onStop("server", () => order.push("server"));
    expect(await life.stop()).toEqual({ failures: 1 });
    expect(order).toEqual(["server", "pool"]);
    expect(failed).toEqual(["queue"]);
  });

  test("closes once and aborts the stopping signal", async () => {
    const life = createLifecycle("test");
    let closed = 0;
    life.onStop("once", () => (closed += 1));
    expect(life.stopping.aborted).toBeFalse();
    await Promise.all([life.stop(), life.stop()]);
    expect(closed).toBe(1);
    expect(life.stopping.aborted).toBeTrue();
  });
});
