import { describe, expect, test } from "bun:test";
import { expiredBackups, nextType } from "./retention.ts";

const now = new Date("2026-11-30T18:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const backup = (days: number) => ({ id: daysAgo(days).toISOString(), consistent_at: daysAgo(days).toISOString() });
const expiredOf = (ages: number[]) => expiredBackups(ages.map(backup), 14, now).map(({ id }) => id);

describe("expired backups", () => {
  test("are those older than the limit", () => {
    expect(expiredOf([0, 1, 13, 15, 40])).toEqual([backup(40).id, backup(15).id]);
  });

  test("leave the two newest, however old", () => {
    expect(expiredOf([40, 30, 20])).toEqual([backup(40).id]);
    expect(expiredOf([40])).toEqual([]);
  });
});

describe("the type of a base backup", () => {
  test.each([
    ["full", undefined],
    ["diff", 1],
    ["diff", 6],
    ["full", 7],
    ["full", 30],
  ] as const)("is %s with a full one %p days ago", (type, days) => {
    expect(nextType(days === undefined ? undefined : daysAgo(days), now)).toBe(type);
  });

  test("is full in a run that begins seconds early", () => {
    expect(nextType(new Date(daysAgo(7).getTime() + 30_000), now)).toBe("full");
  });
});
