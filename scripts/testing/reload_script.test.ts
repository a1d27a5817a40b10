import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../lib/testing/until.ts";
import { root } from "../stack/environment.ts";

/* nomad/tasks/reload.sh */

/** Logs its start and each HUP; ends with 7 after TERM. */
const command = `
  trap 'echo HUP >>"$0"' HUP
  trap 'exit 7' TERM
  echo started >>"$0"
  while :; do sleep 0.05; done`;

let folder: string;
let running: Bun.Subprocess;
const path = (name: string) => join(folder, name);
const log = async () => (await Bun.file(path("log")).text()).trim().split("\n");

/** Replaces a file as a whole, as a renderer does. */
async function render(name: string, text: string): Promise<void> {
  await writeFile(path(`${name}.new`), text);
  await rename(path(`${name}.new`), path(name));
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "prosaas-reload-"));
  for (const name of ["a", "b"]) await render(name, "1");
  running = Bun.spawn(
    ["sh", join(root, "nomad/tasks/reload.sh"), path("a"), path("b"), "--", "sh", "-c", command, path("log")],
    { stdin: "ignore", stdout: "ignore", stderr: "inherit" },
  );
  await until(() => Bun.file(path("log")).exists(), { what: "the start of the command" });
});
afterEach(async () => {
  running.kill("SIGTERM");
  await running.exited;
  await rm(folder, { recursive: true });
});

describe("reload.sh", () => {
  test("sends HUP once for each replaced file", async () => {
    for (const [index, name] of ["a", "b", "a"].entries()) {
      await render(name, "1");
      await until(async () => (await log()).length === index + 2, { what: `HUP ${index + 1}` });
    }
    expect(await log()).toEqual(["started", "HUP", "HUP", "HUP"]);
  });

  test("passes TERM on and ends as the command does", async () => {
    running.kill("SIGTERM");
    expect(await running.exited).toBe(7);
  });
});
