import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { baileys, versionIn } from "./scratch.ts";

const root = join(import.meta.dir, "../../..");
let temporary: string;
beforeEach(async () => {
  temporary = await mkdtemp(join(tmpdir(), "prosaas-upgrade-test-"));
});
afterEach(async () => {
  await rm(temporary, { recursive: true, force: true });
});

async function start(...options: string[]) {
  const command = [process.execPath, "run", "scripts/cli/upgrade/main.ts", await versionIn(root), ...options];
  return Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, TMPDIR: temporary },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

describe("wa:upgrade", () => {
  test("lists its steps and makes no copy with --dry-run", async () => {
    const child = await start("--dry-run", "--json", "--no-bench");
    const plan = JSON.parse(await new Response(child.stdout).text()) as { dry_run: boolean; steps: string[] };
    expect(plan.dry_run).toBeTrue();
    expect(plan.steps).toContain(`install ${baileys} ${await versionIn(root)} without patches`);
    expect(plan.steps.join()).not.toContain("bench:shard");
    expect(await readdir(temporary)).toEqual([]);
  });

  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("removes its copy after %s", async (signal, code) => {
    const child = await start("--no-bench");
    await until(async () => (await readdir(temporary)).some((name) => name.startsWith("prosaas-upgrade-")), {
      what: "the copy to be made",
    });
    child.kill(signal);
    expect(await child.exited).toBe(code);
    expect(await new Response(child.stderr).text()).toContain("Interrupted. The copy was removed.");
    expect((await readdir(temporary)).filter((name) => name.startsWith("prosaas-upgrade-"))).toEqual([]);
  });
});
