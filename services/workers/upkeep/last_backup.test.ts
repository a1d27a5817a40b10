import { describe, expect, test } from "bun:test";
import { parseLastBackup } from "./last_backup.ts";

describe("the record of the last backup", () => {
  test("has its moment", () => {
    expect(parseLastBackup('{"id": "x", "at": "2026-11-30T18:00:00.000Z"}')).toBe(Date.UTC(2026, 10, 30, 18));
  });

  test.each(["", "{}", "null", '{"at": "yesterday"}', '{"at": 7}'])("is ignored if it is %p", (text) => {
    expect(parseLastBackup(text)).toBeNull();
  });
});
