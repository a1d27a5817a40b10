import { describe, expect, test } from "bun:test";
import { momentOf, quietUntil } from "./quiet_hours.ts";

const night = { from: "21:00", to: "08:00", timeZone: "America/Sao_Paulo" };
const at = (local: string, timeZone = night.timeZone) => momentOf(local, timeZone);
const until = (local: string) => quietUntil(night, at(local))?.toISOString();

describe("quietUntil", () => {
  test("spans midnight", () => {
    expect(until("2026-03-01T20:59")).toBeUndefined();
    expect(until("2026-03-01T21:00")).toBe("2026-03-02T11:00:00.000Z");
    expect(until("2026-03-02T00:00")).toBe("2026-03-02T11:00:00.000Z");
    expect(until("2026-03-02T07:59")).toBe("2026-03-02T11:00:00.000Z");
    expect(until("2026-03-02T08:00")).toBeUndefined();
  });

  test("holds within a day", () => {
    const siesta = { from: "13:00", to: "15:00", timeZone: "Europe/Madrid" };
    const ends = (local: string) => quietUntil(siesta, at(local, siesta.timeZone));
    expect(ends("2026-07-01T12:59")).toBeNull();
    expect(ends("2026-07-01T13:00")).toEqual(at("2026-07-01T15:00", siesta.timeZone));
    expect(ends("2026-07-01T15:00")).toBeNull();
  });

  test("treats equal times as no quiet hours", () => {
    for (const local of ["2026-07-01T08:00", "2026-07-01T20:00"]) {
      expect(quietUntil({ from: "08:00", to: "08:00", timeZone: "UTC" }, at(local, "UTC"))).toBeNull();
    }
  });

  test("ends by local time across a clock change", () => {
    const berlin = { from: "22:00", to: "07:00", timeZone: "Europe/Berlin" };
    const ends = quietUntil(berlin, at("2026-03-28T23:00", berlin.timeZone))!;
    // Nine hours on the wall, eight in truth.
    expect(ends.toISOString()).toBe("2026-03-29T05:00:00.000Z");
  });

  test("shifts a skipped local time by an hour", () => {
    expect(at("2026-03-29T02:30", "Europe/Berlin").toISOString()).toBe("2026-03-29T01:30:00.000Z");
    expect(at("2026-03-01T09:00").toISOString()).toBe("2026-03-01T12:00:00.000Z");
  });
});
