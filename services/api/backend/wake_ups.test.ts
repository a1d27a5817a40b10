import { expect, test } from "bun:test";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { createWakeUps } from "./wake_ups.ts";

/** A producer whose wake-ups end when the test says so. */
function slowProducer() {
  const calls: { businessId: string; end: PromiseWithResolvers<void> }[] = [];
  return {
    calls,
    wake: async (_job: string, payload: unknown) => {
      const call = { businessId: (payload as { business_id: string }).business_id, end: Promise.withResolvers<void>() };
      calls.push(call);
      await call.end.promise;
    },
  };
}

const start = () => {
  const producer = slowProducer();
  const lines: string[] = [];
  const metrics = createMetrics("test");
  const wakeUps = createWakeUps(producer, createLogger("test", "warn", { write: (line) => lines.push(line) }), metrics);
  return { ...producer, wakeUps, lines, metrics };
};

test("any number of wake-ups while one is under way become a single one behind it", async () => {
  const { calls, wakeUps } = start();
  for (let n = 0; n < 100; n++) wakeUps.outbox("b");
  expect(calls).toHaveLength(1);
  calls[0]!.end.resolve();
  await Promise.resolve();
  await new Promise(setImmediate);
  expect(calls).toHaveLength(2);
  calls[1]!.end.resolve();
  await wakeUps.settled();
  expect(calls).toHaveLength(2);
});

test("a wake-up after the last one ended is a new one", async () => {
  const { calls, wakeUps } = start();
  for (let n = 0; n < 3; n++) {
    wakeUps.outbox("b");
    calls[n]!.end.resolve();
    await wakeUps.settled();
  }
  expect(calls).toHaveLength(3);
});

test("businesses do not wait for one another", () => {
  const { calls, wakeUps } = start();
  wakeUps.outbox("a");
  wakeUps.outbox("b");
  expect(calls.map((call) => call.businessId)).toEqual(["a", "b"]);
});

test("a wake-up that fails is logged and counted, and the next one is tried", async () => {
  const { calls, wakeUps, lines, metrics } = start();
  wakeUps.outbox("b");
  wakeUps.outbox("b");
  calls[0]!.end.reject(new Error("redis is away"));
  await new Promise(setImmediate);
  calls[1]!.end.resolve();
  await wakeUps.settled();
  expect(calls).toHaveLength(2);
  expect(lines.join()).toContain("redis is away");
  expect(await metrics.registry.getSingleMetricAsString("prosaas_api_wake_up_failures_total")).toMatch(/ 1$/m);
});
