import { describe, expect, test } from "bun:test";
import { Ledger } from "./ledger.ts";

const denied = (number: number) => ({ event: "denied", phone: "491700000001", number: String(number) }) as const;

describe("the ledger", () => {
  test("returns pages in order", () => {
    const ledger = new Ledger();
    for (const number of [1, 2, 3]) ledger.record(denied(number));
    expect(ledger.after(0, 2)).toMatchObject([
      { seq: 1, number: "1" },
      { seq: 2, number: "2" },
    ]);
    expect(ledger.after(2, 2)).toMatchObject([{ seq: 3, number: "3" }]);
    expect(ledger.after(3, 2)).toEqual([]);
  });

  test("is bounded and refuses pages that are lost", () => {
    const ledger = new Ledger();
    for (let n = 1; n <= 230_000; n++) ledger.record(denied(n));
    expect(() => ledger.after(0, 1)).toThrow(RangeError);
    const last = ledger.after(229_999, 10);
    expect(last).toMatchObject([{ seq: 230_000, number: "230000" }]);
  });
});
