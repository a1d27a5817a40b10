import { describe, expect, test } from "bun:test";
import { until } from "../testing/until.ts";
import { PatientTimer } from "./patient_timer.ts";
import { runningNow, stallMs } from "./running_clock.ts";

const after = (ms: number, onTimeout: () => void) => new PatientTimer(ms, onTimeout);

/** Blocks the event loop, as a suspension of the process does. */
const stall = (ms: number) => Bun.sleepSync(ms);

describe("a patient timer", () => {
  test("fires after its time", async () => {
    const before = runningNow();
    const fired = Promise.withResolvers<number>();
    after(300, () => fired.resolve(runningNow()));
    expect((await fired.promise) - before).toBeGreaterThanOrEqual(300 - 1);
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
