import { describe, expect, test } from "bun:test";
import { availableMbOf, mostSessions, neededMb, refusalOf, reserveMb } from "./memory.ts";

describe("refusalOf", () => {
  const plan = { shards: 20, sessions: 10_000 };

  test("accepts a plan whose memory suffices", () => {
    expect(refusalOf(plan, neededMb(plan) + reserveMb)).toBeUndefined();
  });

  test("names the largest plan that fits", () => {
    const available = neededMb(plan) + reserveMb - 1;
    const most = mostSessions(plan.shards, available);
    expect(most).toBeLessThan(plan.sessions);
    expect(refusalOf(plan, available)).toContain(`choose at most --sessions ${most}.`);
    expect(refusalOf({ ...plan, sessions: most }, available)).toBeUndefined();
    expect(refusalOf({ ...plan, sessions: most + 1 }, available)).toBeDefined();
  });

  test("asks for fewer shards when not even these fit", () => {
    expect(mostSessions(20, 1_000)).toBe(0);
    expect(refusalOf(plan, 1_000)).toContain("choose fewer --shards.");
  });
});

describe("availableMbOf", () => {
  test("reads MemAvailable", () => {
    expect(availableMbOf("MemTotal:       24683648 kB\nMemAvailable:   20480000 kB\n")).toBe(20_000);
  });

  test("refuses a text without it", () => {
    expect(() => availableMbOf("MemFree: 1 kB\n")).toThrow("MemAvailable");
  });
});
