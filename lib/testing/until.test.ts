import { describe, expect, test } from "bun:test";
import { until } from "./until.ts";

describe("until", () => {
  test("checks less often the longer it waits", async () => {
    let checks = 0;
    const never = () => {
      checks++;
      return false;
    };
    await expect(until(never, { deadlineMs: 1_000, what: "nothing" })).rejects.toThrow("waiting for nothing");
    // At the first interval there would be 50.
    expect(checks).toBeLessThan(35);
  });
});
