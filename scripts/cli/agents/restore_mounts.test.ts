import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "../../stack/program.ts";

/* In a mount namespace of its own, so that the machine does not see the mounts. */
describe.skipIf(process.getuid?.() !== 0)("restore-mounts.sh", () => {
  const id = "01234567-89ab-cdef-0123-456789abcdef";
  let folder: string;
  let task: string;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "prosaas-mounts-"));
    task = join(folder, "alloc", id, "web");
    for (const path of ["secrets", "private", "alloc", "../alloc/data"])
      await mkdir(join(task, path), { recursive: true });
    await Bun.write(join(task, "../alloc/data/kept"), "data");
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const shell = async (script: string) => {
    const program = join(import.meta.dir, "restore-mounts.sh");
    const text = `set -eu; task=${task}; restore() { ${program} ${folder}; }\n${script}`;
    const command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", text];
    const { code, stdout, stderr } = await runProgram(command, { cwd: "/" });
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return stdout.trim().split("\n");
  };

  test("gives a task its secrets folder in memory again", async () => {
    const output = await shell(`restore
      for name in secrets private; do stat -f -c %T $task/$name; ls -A $task/$name; done
      cat $task/alloc/data/kept`);
    expect(output).toEqual(["tmpfs", ".nomad-mount", "tmpfs", ".nomad-mount", "data"]);
  });

  test("deletes secrets that lay on the disk", async () => {
    await Bun.write(join(task, "secrets/token"), "secret");
    expect(await shell(`restore; umount $task/secrets; ls -A $task/secrets | wc -l`)).toEqual(["0"]);
  });

  test("keeps mounts that are there, with their contents", async () => {
    const output = await shell(`restore; echo secret >$task/secrets/token; before=$(wc -l </proc/self/mountinfo)
      restore; cat $task/secrets/token; expr $(wc -l </proc/self/mountinfo) - $before || true`);
    expect(output).toEqual(["secret", "0"]);
  });

  test("leaves other folders and a new client alone", async () => {
    await mkdir(join(folder, "alloc/other/web/private"), { recursive: true });
    expect(await shell(`restore; ls -A ${folder}/alloc/other/web/private | wc -l`)).toEqual(["0"]);
    await rm(join(folder, "alloc"), { recursive: true });
    expect(await shell("restore; echo nothing")).toEqual(["nothing"]);
  });
});
