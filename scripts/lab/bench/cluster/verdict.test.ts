import { expect, describe, test } from "bun:test";
import { exceeded } from "./verdict.ts";

const good = {
  directory_converge_s_max: 2,
  directory_lost: 0,
  moves_per_minute: 100,
  rebalance_plan_s: 5,
  messages_lost: 0,
};

describe("exceeded", () => {
  test("accepts figures at their limits", () => {
    expect(exceeded(good)).toEqual([]);
  });

  test("ignores figures that were not measured", () => {
    expect(exceeded({ sessions_mb: 12_000 })).toEqual([]);
  });

  test.each([
    ["directory_converge_s_max", 2.01],
    ["directory_lost", 1],
    ["moves_per_minute", 99.9],
    ["rebalance_plan_s", 5.1],
    ["sessions_missing", 1],
    ["messages_lost", 1],
    ["rebalance_plan_s", Number.NaN],
  ])("reports %s of %p", (name, figure) => {
    const lines = exceeded({ ...good, [name]: figure });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toStartWith(`${name} is ${figure}`);
  });
});
