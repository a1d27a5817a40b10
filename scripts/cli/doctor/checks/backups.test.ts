import { describe, expect, test } from "bun:test";
import { judgeBackups } from "./backups.ts";

const hours = 3_600_000;
const now = { ageMs: 3 * hours, archives: true, failed: null };

describe("backups", () => {
  test.each([
    ["a recent one", now],
    ["none while nothing is archived", { ...now, ageMs: null, archives: false }],
  ])("are healthy with %s", (_, state) => {
    expect(judgeBackups(state)).toEqual([]);
  });

  test.each([
    ["error", "The last backup is 27 h old.", { ...now, ageMs: 27 * hours }],
    ["warning", "There is no backup.", { ...now, ageMs: null }],
    ["error", "Postgres cannot archive its log (0001), which fills its disk.", { ...now, failed: "0001" }],
  ])("report an %s: %s", (severity, found, state) => {
    expect(judgeBackups(state)).toEqual([expect.objectContaining({ severity, found })]);
  });
});
