import { describe, expect, test } from "bun:test";
import { uuidv7Floor } from "../../core/ids.ts";
import { monthPartition } from "./partitions.ts";

describe("partitions of messages", () => {
  test("span one month of UTC", () => {
    expect(monthPartition(new Date("2026-03-31T23:59:59.999Z"))).toEqual({
      name: "messages_2026_03",
      from: uuidv7Floor(Date.UTC(2026, 2, 1)),
      to: uuidv7Floor(Date.UTC(2026, 3, 1)),
    });
  });

  test("are contiguous across the end of a year", () => {
    const months = Array.from({ length: 14 }, (_, ahead) => monthPartition(new Date("2026-12-31T00:00:00Z"), ahead));
    expect(months.slice(0, 3).map((month) => month.name)).toEqual([
      "messages_2026_12",
      "messages_2027_01",
      "messages_2027_02",
    ]);
    for (const [n, month] of months.entries()) if (n > 0) expect(month.from).toBe(months[n - 1]!.to);
  });
});
