import { describe, expect, test } from "bun:test";
import { isAccepted, verdictTable } from "./report.ts";

describe("the verdict", () => {
  test("is a table with a row for each check", () => {
    const rows = [
      { check: "types", passed: true, seconds: 12.34, detail: "" },
      { check: "unit tests", passed: false, detail: "3 passed, 1 failed" },
    ];
    expect(verdictTable(rows).split("\n")).toEqual([
      "CHECK       VERDICT  SECONDS  DETAIL",
      "types       ok       12.3",
      "unit tests  FAILED            3 passed, 1 failed",
    ]);
    expect(isAccepted(rows)).toBeFalse();
    expect(isAccepted(rows.slice(0, 1))).toBeTrue();
    expect(isAccepted([])).toBeFalse();
  });
});
