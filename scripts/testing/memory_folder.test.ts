import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cgroupBytes, removeOrphans } from "./memory_folder.ts";

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "memory-folder-"));
});
afterEach(() => rmSync(root, { recursive: true }));

describe("removeOrphans", () => {
  test("deletes only the folders of dead runs", async () => {
    const dead = Bun.spawn(["true"]);
    await dead.exited;
    const kept = [`prosaas-test-${process.pid}-abc`, "prosaas-test-abcdef", "other"];
    for (const name of [...kept, `prosaas-test-${dead.pid}-abc`])
      mkdirSync(join(root, name, "postgres"), { recursive: true });
    await removeOrphans(root);
    expect(readdirSync(root).toSorted()).toEqual(kept.toSorted());
  });

  test("accepts a missing parent", async () => {
    await removeOrphans(join(root, "missing"));
  });
});

describe("cgroupBytes", () => {
  const limit = (path: string, max: string, current: number) => {
    mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(root, path, "memory.max"), `${max}\n`);
    writeFileSync(join(root, path, "memory.current"), `${current}\n`);
  };

  test("is the least that any level leaves", () => {
    limit("a", "1000", 400);
    limit("a/b", "max", 300);
    limit("a/b/c", "900", 100);
    expect(cgroupBytes(root, "0::/a/b/c\n")).toBe(600);
  });

  test("is infinite without a limit", () => {
    expect(cgroupBytes(root, "0::/\n")).toBe(Number.POSITIVE_INFINITY);
  });
});
