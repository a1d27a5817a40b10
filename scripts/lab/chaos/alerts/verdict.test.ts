import { describe, expect, test } from "bun:test";
import { judge } from "./verdict.ts";

const timing = (alert: string, firedS: number | null, clearedS: number | null) => ({
  alert,
  fault: "a fault",
  firedS,
  clearedS,
});

describe("the verdict about alerts", () => {
  test("passes alerts that fire in time and clear", () => {
    expect(judge([timing("A", 90, 15), timing("B", 30, 600)], ["A", "B"])).toMatchObject({
      alerts: 2,
      fired: 2,
      cleared: 2,
      fired_s_max: 90,
      cleared_s_max: 600,
      failed: [],
      not_provoked: [],
    });
  });

  test("names late, silent and stuck alerts", () => {
    const timings = [timing("Late", 121, 1), timing("Silent", null, 1), timing("Stuck", 1, null)];
    expect(judge(timings, []).failed).toEqual(["Late", "Silent", "Stuck"]);
  });

  test("names alerts without a fault", () => {
    expect(judge([timing("A", 1, 1)], ["A", "B"]).not_provoked).toEqual(["B"]);
  });
});
