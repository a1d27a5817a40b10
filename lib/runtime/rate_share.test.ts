import { describe, expect, test } from "bun:test";
import { RateShare } from "./rate_share.ts";

describe("RateShare", () => {
  test("alternates between owners, however much one has", async () => {
    const share = new RateShare(1_000_000);
    const order: string[] = [];
    const readAll = async (owner: string, turns: number) => {
      for (let n = 0; n < turns; n++) {
        await share.take(owner, 1_000, 60_000);
        order.push(owner);
      }
    };
    await Promise.all([readAll("long", 20), readAll("short", 3)]);
    expect(order.lastIndexOf("short")).toBeLessThan(8);
  });

  test("bounds the rate of all owners together", async () => {
    const share = new RateShare(1_000_000);
    const from = performance.now();
    for (const owner of ["a", "b", "c", "d"]) await share.take(owner, 20_000, 60_000);
    expect(performance.now() - from).toBeGreaterThanOrEqual(55);
  });

  test("gives up after maxWaitMs", async () => {
    const share = new RateShare(1_000);
    expect(await share.take("a", 100, 60_000)).toBeTrue();
    expect(await share.take("b", 1, 5)).toBeFalse();
    expect(await share.take("b", 1, 60_000)).toBeTrue();
  });
});
