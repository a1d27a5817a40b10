import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createCpuShares } from "./cpu_shares.ts";
import type { CpuShares } from "./cpu_shares.ts";

const groupsOf = (pid: number | "self") => readFileSync(`/proc/${pid}/cgroup`, "utf8");

/** Undefined where the user may not create control groups. */
function shares(): CpuShares | undefined {
  try {
    return createCpuShares({ one: 150, other: 2 });
  } catch {
    return undefined;
  }
}

const made = shares();

test.skipIf(made === undefined)("moves processes into groups and removes the groups", async () => {
  const before = groupsOf("self");
  const child = Bun.spawn(["sleep", "60"]);
  try {
    made!.assign("one", process.pid);
    made!.assign("other", child.pid);
    expect(groupsOf("self")).toContain(`/prosaas-rig-${process.pid}/one`);
    expect(groupsOf(child.pid)).toContain(`/prosaas-rig-${process.pid}/other`);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    made!.assign("other", child.pid);
    made!.remove();
  }
  expect(groupsOf("self")).toBe(before);
});
