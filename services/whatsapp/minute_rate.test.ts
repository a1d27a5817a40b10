import { describe, expect, test } from "bun:test";
import { MinuteRate } from "./minute_rate.ts";

describe("the minute rate", () => {
  test("counts the last minute only", () => {
    let now = 1_700_000_000_000;
    const rate = new MinuteRate(() => now);
    expect(rate.perMinute).toBe(0);
    for (let second = 0; second < 90; second++) {
      rate.count();
      rate.count();
      now += 1000;
    }
    expect(rate.perMinute).toBe(118);
    now += 58_000;
    expect(rate.perMinute).toBe(2);
    now += 3_600_000;
    expect(rate.perMinute).toBe(0);
    rate.count();
    expect(rate.perMinute).toBe(1);
  });
});
