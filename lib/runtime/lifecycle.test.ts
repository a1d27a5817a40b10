import { expect, test } from "bun:test";
import { createLifecycle } from "./lifecycle.ts";

test("what was opened last is closed first, each awaited, and a closer that throws does not keep the others", async () => {
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

test("stopping twice closes once, and loops learn of it by the signal", async () => {
  const life = createLifecycle("test");
  let closed = 0;
  life.onStop("once", () => (closed += 1));
  expect(life.stopping.aborted).toBeFalse();
  await Promise.all([life.stop(), life.stop()]);
  expect(closed).toBe(1);
  expect(life.stopping.aborted).toBeTrue();
});
