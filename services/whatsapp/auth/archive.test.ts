import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { archiveRetentionMs, archiveStore, purgeArchive } from "./archive.ts";

describe("the archive", () => {
  test("keeps stores for a day, beside newer ones", () => {
    const folder = mkdtempSync(join(tmpdir(), "aside-"));
    const [sessions, aside] = [join(folder, "sessions"), join(folder, "aside")];
    const login = (content: string) => {
      mkdirSync(join(sessions, "b"), { recursive: true });
      writeFileSync(join(sessions, "b", "auth.db"), content);
    };
    login("first");
    archiveStore(sessions, aside, "b", 1000);
    login("second");
    archiveStore(sessions, aside, "b", 2000);
    archiveStore(sessions, aside, "b", 3000);
    expect(readdirSync(sessions)).toEqual([]);
    expect(readdirSync(aside).toSorted()).toEqual(["b.1000", "b.2000"]);
    purgeArchive(aside, 1500 + archiveRetentionMs);
    expect(readdirSync(aside)).toEqual(["b.2000"]);
    rmSync(folder, { recursive: true });
  });
});
