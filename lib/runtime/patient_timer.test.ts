import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import { PatientTimer } from "./patient_timer.ts";
import { lastStallAt, runningNow, stallMs } from "./running_clock.ts";

const after = (ms: number, act: () => void) => new PatientTimer(ms, act);

/** Blocks the event loop, as a suspension of the process does. */
const stall = (ms: number) => Bun.sleepSync(ms);

describe("the running clock", () => {
  test("counts a stall as a quarter of a second", () => {
    const before = runningNow();
    stall(1_000);
    expect(runningNow() - before).toBeWithin(stallMs, stallMs + 50);
    expect(lastStallAt()).toBeGreaterThanOrEqual(before + stallMs);
  });

  test("counts the time of short turns in full", async () => {
    const [before, began] = [runningNow(), performance.now()];
    while (performance.now() - began < 500) await Bun.sleep(20);
    expect(runningNow() - before).toBeGreaterThan(400);
  });
});

describe("a patient timer", () => {
  test("fires after its time", async () => {
    const before = runningNow();
    const fired = Promise.withResolvers<number>();
    after(300, () => fired.resolve(runningNow()));
    expect((await fired.promise) - before).toBeGreaterThanOrEqual(300);
  });

  test("waits after a stall until waiting input was read", async () => {
    let answered = false;
    let judged: boolean | undefined;
    after(600, () => (judged = answered));
    // The answer arrives during the stall and is read after it.
    await Bun.sleep(0);
    stall(1_500);
    setTimeout(() => (answered = true), 100);
    await until(() => judged !== undefined, { what: "the timer" });
    expect(judged).toBeTrue();
  });

  test("fires in spite of repeated stalls", async () => {
    let fired = false;
    after(300, () => (fired = true));
    let stalls = 0;
    while (!fired && stalls < 20) {
      stall(stallMs + 50);
      stalls += 1;
      await Bun.sleep(20);
    }
    expect(fired).toBeTrue();
    expect(stalls).toBeGreaterThan(1);
  });

  test("never fires once it is stopped", async () => {
    let fired = false;
    const timer = after(200, () => (fired = true));
    stall(stallMs + 50);
    await Bun.sleep(0);
    timer.stop();
    const end = performance.now() + 500;
    await until(() => performance.now() > end);
    expect(fired).toBeFalse();
  });
});
