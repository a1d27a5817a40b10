import { describe, expect, test } from "bun:test";
import { until } from "../../../lib/testing/until.ts";
import { DeafnessDetector } from "./deafness_detector.ts";

function startDetector(onProbe: (detector: DeafnessDetector) => void, idleMs = 10) {
  const seen = { probes: 0, deaf: [] as boolean[] };
  const detector: DeafnessDetector = new DeafnessDetector({
    idleMs,
    answerMs: 10,
    probe: async () => {
      seen.probes += 1;
      onProbe(detector);
    },
    onDeaf: (heard) => void seen.deaf.push(heard),
  });
  return { detector, seen };
}

describe("the deafness detector", () => {
  test("accepts a connection that answers its probes", async () => {
    const { detector, seen } = startDetector((detector) => detector.heard());
    detector.start();
    await until(() => seen.probes >= 3, { everyMs: 1 });
    detector.stop();
    expect(seen.deaf).toEqual([]);
  });

  test("reports an unanswered probe once, with the earlier deliveries", async () => {
    const first = startDetector(() => {});
    first.detector.start();
    await until(() => first.seen.deaf.length === 1, { everyMs: 1 });
    expect(first.seen).toEqual({ probes: 1, deaf: [false] });

    const later = startDetector(() => {});
    later.detector.start();
    later.detector.heard();
    await until(() => later.seen.deaf.length === 1, { everyMs: 1 });
    expect(later.seen.deaf).toEqual([true]);
  });

  test("sends no probe while there is traffic", async () => {
    // Long enough for the pauses of a busy machine.
    const { detector, seen } = startDetector(() => {}, 400);
    detector.start();
    const end = performance.now() + 800;
    await until(
      () => {
        detector.heard();
        return performance.now() > end;
      },
      { everyMs: 1 },
    );
    detector.stop();
    expect(seen.probes).toBe(0);
  });

  test("reports nothing after a stop", async () => {
    const { detector, seen } = startDetector(() => {});
    detector.start();
    await until(() => seen.probes === 1, { everyMs: 1 });
    detector.stop();
    const end = performance.now() + 30;
    await until(() => performance.now() > end);
    expect(seen.deaf).toEqual([]);
  });
});
