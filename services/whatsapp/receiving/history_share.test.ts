import { describe, expect, test } from "bun:test";
import { HistoryShare } from "./history_share.ts";

describe("HistoryShare", () => {
  test("alternates between businesses, however long a history is", async () => {
    const share = new HistoryShare(1_000_000);
    const order: string[] = [];
    const readAll = async (business: string, chunks: number) => {
      for (let n = 0; n < chunks; n++) await share.turn(business, 1_000, () => order.push(business));
    };
    await Promise.all([readAll("long", 20), readAll("short", 3)]);
    expect(order.lastIndexOf("short")).toBeLessThan(8);
  });

  test("bounds the rate of all businesses together", async () => {
    const share = new HistoryShare(1_000_000);
    const from = performance.now();
    await Promise.all(["a", "b", "c", "d"].map((business) => share.turn(business, 20_000, () => {})));
    expect(performance.now() - from).toBeGreaterThanOrEqual(75);
  });

  test("passes the turn on after a failure", async () => {
    const share = new HistoryShare();
    const failing = share.turn("a", 1, () => {
      throw new RangeError("malformed");
    });
    await expect(failing).rejects.toThrow("malformed");
    expect(await share.turn("b", 1, () => "read")).toBe("read");
  });
});
