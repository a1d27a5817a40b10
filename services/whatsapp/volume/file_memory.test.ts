import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileMemory } from "./file_memory.ts";

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), "memory-"))));
afterEach(() => rmSync(folder, { recursive: true }));

describe("fileMemory", () => {
  test("returns the last text in another process", async () => {
    const path = join(folder, "version");
    expect(await fileMemory(path).read()).toBeNull();
    for (const text of ["2.3000.1", "2.3000.2"]) await fileMemory(path).write(text);
    expect(await fileMemory(path).read()).toBe("2.3000.2");
  });

  test("ignores a file that no setting could fill", async () => {
    const path = join(folder, "version");
    await Bun.write(path, "x".repeat(10_000));
    expect(await fileMemory(path).read()).toBeNull();
  });
});
