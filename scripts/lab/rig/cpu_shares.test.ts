import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createCpuShares } from "./cpu_shares.ts";
import type { CpuShares } from "./cpu_shares.ts";

const groupsOf = (pid: number | "self") => readFileSync(`/proc/${pid}/cgroup`, "utf8");

/** Undefined where the user may not create control groups. */
function create(): CpuShares | undefined {
  try {
    return createCpuShares({ one: 150, other: 2 });
  } catch {
    return undefined;
  }
}

const first = create();
first?.remove();

describe.skipIf(first === undefined)("CPU shares", () => {
  test("move processes into groups and remove the groups", async () => {
    const before = groupsOf("self");
    const shares = create()!;
    const child = Bun.spawn(["sleep", "60"]);
    try {
      shares.assign("one", process.pid);
      shares.assign("other", child.pid);
      expect(groupsOf("self")).toContain(`/prosaas-rig-${process.pid}/one`);
      expect(groupsOf(child.pid)).toContain(`/prosaas-rig-${process.pid}/other`);
    } finally {
      child.kill("SIGKILL");
      await child.exited;
      shares.assign("other", child.pid);
      shares.remove();
    }
    expect(groupsOf("self")).toBe(before);
  });

  test("remove the groups of a killed rig", async () => {
    const ended = Bun.spawn(["true"]);
    await ended.exited;
    const shares = create()!;
    const stale = shares.folder.replace(String(process.pid), String(ended.pid));
    mkdirSync(stale);
    mkdirSync(`${stale}/one`);
    shares.remove();
    create()!.remove();
    expect(existsSync(stale)).toBeFalse();
  });
});
