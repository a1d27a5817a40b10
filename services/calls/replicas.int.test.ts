import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { until } from "../../lib/testing/until.ts";
import type { SimulatedCall } from "../simulator/carrier/call.ts";
import { startStack } from "./testing/stack.ts";
import type { Stack } from "./testing/stack.ts";
import { longestSilenceMs } from "./testing/use_calls.ts";

/*
 * Three replicas, each a process of its own, one of them with its clock ten minutes fast and one ten minutes slow.
 */

let stack: Stack;
let number: string;
beforeAll(async () => {
  stack = await startStack({ replicas: 0, env: { STOP_GRACE_MS: "200" } });
  for (const skew of [0, 600_000, -600_000]) {
    await stack.addProcess({ CLOCK_SKEW_MS: String(skew) }, { preload: "./services/calls/testing/wrong_clock.ts" });
  }
  ({ number } = await stack.business());
});
afterAll(() => stack.close());

const dial = (count: number) =>
  Array.from({ length: count }, () =>
    stack.carrier.dialIn({ from: "+15551112222", to: number, durationS: null, digits: "" }),
  );
const marks = (call: SimulatedCall) => call.view().streams.flatMap((stream) => stream.marks);
const heard = (calls: SimulatedCall[], mark: string) =>
  until(
    () => {
      const ends = calls.filter((call) => !marks(call).includes(mark)).map((call) => call.view().end);
      if (ends.length > 0) throw new Error(`not by ${ends.length}, of which ended: ${JSON.stringify(ends)}`);
      return true;
    },
    { what: `all ${calls.length} callers to hear ${mark}` },
  );
const carried = async () => {
  const texts = await Promise.all(stack.processes.map(async ({ opsUrl }) => (await fetch(`${opsUrl}/metrics`)).text()));
  return texts.map((text) => Number(/^prosaas_calls_streams\{.*\} (\d+)$/m.exec(text)?.[1]));
};

describe("three replicas", () => {
  test("admit 50 of 200 concurrent callers", async () => {
    const calls = dial(200);
    await until(() => calls.every((call) => call.view().streams.length > 0 || call.view().end !== null), {
      what: "every caller's answer",
    });
    expect(calls.filter((call) => call.view().streams.length > 0)).toHaveLength(50);
    expect(await stack.capacity.count()).toBe(50);
    for (const call of calls) call.hangUp();
    await until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free" });
  });

  test("resume 20 calls of a killed one", async () => {
    const victim = stack.processes[0]!;
    // All to one, so that it has 20; then the door leads to all three again.
    stack.door.lead([victim.port]);
    stack.door.drop();
    const calls = dial(20);
    await heard(calls, "greeting");
    stack.door.lead(stack.processes.map(({ port }) => port));
    expect((await carried())[0]).toBe(20);
    for (const call of calls) call.press("7");
    await heard(calls, "keys:7");

    await stack.endProcess(victim, "SIGKILL");
    await heard(calls, "welcome_back");
    const silences = calls.flatMap((call) => call.view().recoveries_ms);
    expect(silences).toHaveLength(20);
    expect(Math.max(...silences)).toBeLessThan(longestSilenceMs);
    for (const call of calls) call.press("8");
    await heard(calls, "keys:78");
    expect(await stack.capacity.count()).toBe(20);
    for (const call of calls) call.hangUp();
    await until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free" });
    await stack.addProcess();
  });

  test("take over the calls of a frozen one", async () => {
    const victim = stack.processes[0]!;
    stack.door.lead([victim.port]);
    stack.door.drop();
    const calls = dial(5);
    await heard(calls, "greeting");
    stack.door.lead(stack.processes.slice(1).map(({ port }) => port));
    for (const call of calls) call.press("7");
    await heard(calls, "keys:7");

    victim.kill("SIGSTOP");
    try {
      await heard(calls, "welcome_back");
      for (const call of calls) call.press("8");
      await heard(calls, "keys:78");
    } finally {
      victim.kill("SIGCONT");
    }
    await until(async () => (await carried())[0] === 0, { what: "the frozen replica to yield its calls" });
    expect(calls.map((call) => call.view().streams.length)).toEqual([2, 2, 2, 2, 2]);
    expect(await stack.capacity.count()).toBe(5);
    for (const call of calls) call.hangUp();
    await until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free" });
    stack.door.lead(stack.processes.map(({ port }) => port));
  });

  test("drop none of 40 calls in a deploy", async () => {
    const calls = dial(40);
    await heard(calls, "greeting");
    for (const old of stack.processes.slice()) {
      await stack.addProcess();
      expect(await stack.endProcess(old, "SIGTERM")).toBe(0);
    }
    for (const call of calls) call.press("5");
    await heard(calls, "keys:5");
    expect(calls.filter((call) => call.view().end !== null)).toEqual([]);
    expect(await stack.capacity.count()).toBe(40);
    for (const call of calls) call.hangUp();
    await until(async () => (await stack.capacity.count()) === 0, { what: "every slot to be free" });
  });
});
