import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimVolume, VolumeRefused } from "./volume.ts";

let path: string;
beforeEach(() => {
  path = mkdtempSync(join(tmpdir(), "volume-"));
});
afterEach(() => rmSync(path, { recursive: true }));

describe("a volume", () => {
  test("gets the shard's number once", () => {
    claimVolume(path, 2).release();
    expect(JSON.parse(readFileSync(join(path, "shard.json"), "utf8"))).toMatchObject({ format: 1, shard: 2 });
    claimVolume(path, 2).release();
  });

  test("of another shard is refused and untouched", () => {
    claimVolume(path, 2).release();
    const before = readdirSync(path);
    expect(() => claimVolume(path, 1)).toThrow(/belongs to shard 2, and this process is shard 1/);
    expect(readdirSync(path)).toEqual(before);
  });

  test("of unknown origin is refused", () => {
    mkdirSync(join(path, "sessions"));
    expect(() => claimVolume(path, 1)).toThrow(/holds sessions but no shard.json/);
    writeFileSync(join(path, "shard.json"), "{");
    expect(() => claimVolume(path, 1)).toThrow(/cannot be read/);
    expect(() => claimVolume(join(path, "missing"), 1)).toThrow(VolumeRefused);
  });

  test("is locked by one process, until its death", async () => {
    const script = `
    import { claimVolume } from ${JSON.stringify(join(import.meta.dir, "volume.ts"))};
    claimVolume(${JSON.stringify(path)}, 1);
    Bun.gc(true);
    process.stdout.write("claimed");
    setInterval(() => {}, 1000);
  `;
    await using holder = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const { value } = await holder.stdout.getReader().read();
    expect(Buffer.from(value ?? []).toString()).toBe("claimed");
    expect(() => claimVolume(path, 1)).toThrow(/in use by another process/);
    holder.kill("SIGKILL");
    await holder.exited;
    claimVolume(path, 1).release();
  });
});
