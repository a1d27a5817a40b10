import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-state-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const module = join(import.meta.dir, "state_file.ts");

/** Writes 1 MB in a process of its own, after `setup` in a mount namespace of its own. */
async function write(path: string, setup: string) {
  const program = `const { writeStateFile } = await import(${JSON.stringify(module)});
    await writeStateFile(${JSON.stringify(path)}, "x".repeat(1 << 20)).catch((error) => console.log(error.message));`;
  const script = `${setup}\n"$BUN" -e "$PROGRAM"; ls -A "$FOLDER"`;
  const child = Bun.spawn(["unshare", "--mount", "--propagation", "private", "bash", "-c", script], {
    env: { ...process.env, BUN: process.execPath, PROGRAM: program, FOLDER: folder },
    stdout: "pipe",
  });
  return (await new Response(child.stdout).text()).trim();
}

describe.skipIf(process.getuid?.() !== 0)("writeStateFile", () => {
  test("is for root only", async () => {
    const path = join(folder, "admin.key");
    await write(path, "");
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  test("names the path on a full disk", async () => {
    const message = await write(join(folder, "stack.json"), `mount -t tmpfs -o size=64k none ${folder}`);
    expect(message).toMatch(/^\S+\/stack\.json cannot be written: .*no space left/i);
    expect(message.split("\n")).toHaveLength(1);
  });

  test("names the path on a read-only disk", async () => {
    const message = await write(join(folder, "stack.json"), `mount -t tmpfs -o ro none ${folder}`);
    expect(message).toMatch(/^\S+\/stack\.json cannot be written: .*read-only/i);
  });
});
