import { expect, test } from "bun:test";
import { withoutRepeats } from "./repeats.ts";

function reporter(everyMs: number) {
  const clock = { ms: 0 };
  const reports: [string, number][] = [];
  const report = withoutRepeats(
    (error, heldBack) => reports.push([String(error), heldBack]),
    everyMs,
    () => clock.ms,
  );
  return { clock, reports, report };
}

test("the first of equal errors is reported at once, the next after a while with what was held back", () => {
  const { clock, reports, report } = reporter(1_000);
  for (let i = 0; i < 50; i++) {
    report("refused");
    clock.ms += 100;
  }
  expect(reports).toEqual([["refused", 0], ...Array.from({ length: 4 }, (): [string, number] => ["refused", 9])]);
});

test("different errors do not hide each other", () => {
  const { reports, report } = reporter(1_000);
  report("refused");
  report("reset");
  report("refused");
  expect(reports.map(([message]) => message)).toEqual(["refused", "reset"]);
});

test("errors that never repeat do not fill the memory, and are all reported", () => {
  const { reports, report } = reporter(1_000);
  for (let i = 0; i < 1_000; i++) report(`error ${i}`);
  expect(reports.length).toBe(1_000);
  report("error 999");
  report("error 0");
  expect(reports.length).toBe(1_001);
});
