import { describe, expect, test } from "bun:test";
import { LoginInterval } from "./login_interval.ts";

describe("LoginInterval", () => {
  test("refuses a login too soon after the last one", () => {
    let now = 0;
    const interval = new LoginInterval(10_000, () => now);
    interval.take();
    now = 3_500;
    expect(() => interval.take()).toThrow(expect.objectContaining({ code: "rate_limited", retryAfterS: 7 }));
    now = 10_000;
    interval.take();
    expect(() => interval.take()).toThrow(expect.objectContaining({ retryAfterS: 10 }));
  });
});
