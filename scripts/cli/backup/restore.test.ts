import { describe, expect, test } from "bun:test";
import type { Manifest } from "./manifest.ts";
import { chooseBackup, restoreTarget } from "./restore.ts";

const manifest = (hour: number) => ({ id: `${hour}`, consistent_at: `2026-11-30T${hour}:00:00.000Z` }) as Manifest;
const backups = [10, 14, 18].map(manifest);
const base = { label: "20261130-100000F", restore_point: "prosaas-x-1" } as NonNullable<Manifest["postgres"]>;

describe("the backup to restore", () => {
  test("is the newest one", () => {
    expect(chooseBackup(backups, { is: "backup" })?.id).toBe("18");
    expect(chooseBackup(backups, { is: "latest" })?.id).toBe("18");
  });

  test.each([
    ["2026-11-30T15:00:00Z", "14"],
    ["2026-11-30T14:00:00Z", "14"],
    ["2026-11-30T09:00:00Z", undefined],
  ])("for %s is one that is not later", (at, id) => {
    expect(chooseBackup(backups, { is: "time", at: new Date(at) })?.id).toBe(id);
  });
});

describe("the target of Postgres", () => {
  test("is what pgBackRest takes", () => {
    expect(restoreTarget(base, { is: "backup" })).toBe("20261130-100000F name prosaas-x-1");
    expect(restoreTarget(base, { is: "latest" })).toBe("20261130-100000F default");
    expect(restoreTarget(base, { is: "time", at: new Date("2026-11-30T15:00:00.5Z") })).toBe(
      "20261130-100000F time 2026-11-30 15:00:00.500+00",
    );
  });
});
