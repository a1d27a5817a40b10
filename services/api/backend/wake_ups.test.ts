import { describe, expect, test } from "bun:test";
import { createLogger } from "../../../lib/runtime/log.ts";
import { createMetrics } from "../../../lib/runtime/metrics.ts";
import { createWakeUps } from "./wake_ups.ts";

/** A producer whose wake-ups the test completes. */
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

describe("wake-ups", () => {
  test("coalesce while one is in flight", async () => {
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

  test("are sent again after the last one settled", async () => {
    const { calls, wakeUps } = start();
    for (let n = 0; n < 3; n++) {
      wakeUps.outbox("b");
      calls[n]!.end.resolve();
      await wakeUps.settled();
    }
    expect(calls).toHaveLength(3);
  });

  test("of different businesses run concurrently", () => {
    const { calls, wakeUps } = start();
    wakeUps.outbox("a");
    wakeUps.outbox("b");
    expect(calls.map((call) => call.businessId)).toEqual(["a", "b"]);
  });

  test("log and count failures and continue", async () => {
    const { calls, wakeUps, lines, metrics } = start();
    wakeUps.outbox("b");
    wakeUps.outbox("b");
    calls[0]!.end.reject(new Error("redis is down"));
    await new Promise(setImmediate);
    calls[1]!.end.resolve();
    await wakeUps.settled();
    expect(calls).toHaveLength(2);
    expect(lines.join()).toContain("redis is down");
    expect(await metrics.registry.getSingleMetricAsString("prosaas_api_wake_up_failures_total")).toMatch(/ 1$/m);
  });
});
