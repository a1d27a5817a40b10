import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../../lib/testing/until.ts";
import { execute } from "./execution.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-upgrade-test-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});
describe("a command", () => {
  /** Ignores SIGTERM and leaves a child behind, which holds the output open. */
  const stubborn = ["bash", "-c", 'trap "" TERM; sleep 600 & echo $! >pid; wait; wait'];
  const childPid = () =>
    until(
      async () =>
        Number(
          await Bun.file(join(folder, "pid"))
            .text()
            .catch(() => ""),
        ) || undefined,
      {
        what: "the command to start",
      },
    );
  const isRunning = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };

  test("returns its outputs and exit code", async () => {
    const { signal } = new AbortController();
    const ended = await execute(["bash", "-c", "echo out; echo err >&2; exit 3"], { cwd: folder, signal });
    expect(ended).toMatchObject({ code: 3, stdout: "out\n", stderr: "err\n" });
  });

  test("is killed with its children after an abort", async () => {
    const abort = new AbortController();
    const ended = execute(stubborn, { cwd: folder, signal: abort.signal, grace: 50 });
    const pid = await childPid();
    abort.abort();
    expect((await ended).code).not.toBe(0);
    await until(() => !isRunning(pid), { what: "the child to end" });
  });

  test("is killed with its children at its deadline", async () => {
    const { signal } = new AbortController();
    const ended = execute(stubborn, { cwd: folder, signal, deadline: 300, grace: 50 });
    const pid = await childPid();
    expect((await ended).code).not.toBe(0);
    await until(() => !isRunning(pid), { what: "the child to end" });
  });

  test("does not start after an abort", async () => {
    const options = { cwd: folder, signal: AbortSignal.abort() };
    await expect(execute(["touch", "started"], options)).rejects.toThrow();
    expect(existsSync(join(folder, "started"))).toBeFalse();
  });
});
