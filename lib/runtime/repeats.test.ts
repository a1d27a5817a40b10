import { describe, expect, test } from "bun:test";
import { withoutRepeats } from "./repeats.ts";

function reporter(everyMs: number) {
  const clock = { ms: 0 };
  const reports: [string, number][] = [];
  const report = withoutRepeats(
    (error, suppressed) => reports.push([String(error), suppressed]),
    everyMs,
    () => clock.ms,
  );
  return { clock, reports, report };
}

describe("withoutRepeats", () => {
  test("throttles equal errors and counts the suppressed ones", () => {
    const { clock, reports, report } = reporter(1_000);
    for (let i = 0; i < 50; i++) {
      report("refused");
      clock.ms += 100;
    }
    expect(reports).toEqual([["refused", 0], ...Array.from({ length: 4 }, (): [string, number] => ["refused", 9])]);
  });

  test("throttles different errors separately", () => {
    const { reports, report } = reporter(1_000);
    report("refused");
    report("reset");
    report("refused");
    expect(reports.map(([message]) => message)).toEqual(["refused", "reset"]);
  });

  test("reports unique errors in bounded memory", () => {
    const { reports, report } = reporter(1_000);
    for (let i = 0; i < 1_000; i++) report(`error ${i}`);
    expect(reports.length).toBe(1_000);
    report("error 999");
    report("error 0");
    expect(reports.length).toBe(1_001);
  });
});
