import { describe, expect, test } from "bun:test";
import { maxPairings, PairingLimit } from "./pairing_limit.ts";

describe("PairingLimit", () => {
  test("allows ten pairings a minute", () => {
    let now = 0;
    const limit = new PairingLimit(() => now);
    for (let n = 0; n < maxPairings; n++) limit.take();
    expect(() => limit.take()).toThrow(expect.objectContaining({ code: "rate_limited", retryAfterS: 60 }));
    now = 120_000;
    limit.take();
  });
});
