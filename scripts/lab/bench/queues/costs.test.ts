import { describe, expect, test } from "bun:test";
import { loopbackBytes } from "./costs.ts";

describe("loopbackBytes", () => {
  test("reads the received bytes", () => {
    const text = [
      "Inter-|   Receive                                                |  Transmit",
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets",
      "  eth0:     111       1    0    0    0     0          0         0      222       2",
      "    lo: 4815162342   99    0    0    0     0          0         0 4815162342      99",
    ].join("\n");
    expect(loopbackBytes(text)).toBe(4_815_162_342);
  });

  test("refuses a text without the interface", () => {
    expect(() => loopbackBytes("eth0: 1")).toThrow("loopback");
  });
});
