import { beforeAll, describe, expect, test } from "bun:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { root } from "../../stack/environment.ts";
import { runProgram } from "../../stack/program.ts";
import { blocksOf, sectionOf } from "./markdown.ts";
import { codeOf, jobVariablesOf, pathExists, pathsOf, settingsOf, taskCallsOf } from "./references.ts";

type Code = { file: string; line: number; text: string };

let code: Code[];
let taskfile: string;

const list = async (...patterns: string[]) =>
  (
    await runProgram(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", ...patterns], {
      cwd: root,
    })
  ).stdout
    .split("\n")
    .filter(Boolean);
const text = (file: string) => readFile(join(root, file), "utf8").catch(() => "");
const where = ({ file, line }: Code, what: string) => `${file}:${line}: ${what}`;

beforeAll(async () => {
  taskfile = await text("Taskfile.yml");
  const files = await list("*.md");
  const all = await Promise.all(
    files.map(async (file) => codeOf(await text(file)).map((one): Code => ({ file, ...one }))),
  );
  code = all.flat();
});

/** The lines of a task in the Taskfile; undefined if there is none. */
function taskText(name: string): string | undefined {
  const [, body] = taskfile.split(`\n  ${name}:\n`);
  return body?.split(/\n\n {2}\S/)[0];
}

describe("code in Markdown files names only what exists:", () => {
  test("tasks and their variables", () => {
    const faults = code.flatMap((one) =>
      taskCallsOf(one.text).flatMap(({ task, variables }) => {
        const body = taskText(task);
        if (body === undefined) return [where(one, `task ${task}`)];
        return variables.filter((name) => !body.includes(`.${name}`)).map((name) => where(one, `${task} ${name}=`));
      }),
    );
    expect(faults).toEqual([]);
  });

  test("flags of tasks", async () => {
    const calls = code.flatMap((one) => taskCallsOf(one.text).map((call) => ({ ...call, one })));
    const flagged = Map.groupBy(
      calls.filter(({ task, flags }) => flags.length > 0 && taskText(task) !== undefined),
      ({ task }) => task,
    );
    const faults = await Promise.all(
      [...flagged].map(async ([task, uses]) => {
        const command = /cmd: (.*)/.exec(taskText(task)!)![1]!.replaceAll(/(--[a-z]+ )?['"]?\{\{.*?\}\}['"]?/g, "");
        const { stdout, stderr } = await runProgram(["sh", "-c", `${command} --help`], { cwd: root });
        const help = `${stdout}${stderr}`;
        return uses.flatMap(({ flags, one }) =>
          flags.filter((flag) => !new RegExp(`${flag}\\b`).test(help)).map((flag) => where(one, `${task} ${flag}`)),
        );
      }),
    );
    expect(faults.flat()).toEqual([]);
  }, 30_000);

  test("files and folders", () => {
    const faults = code.flatMap((one) =>
      pathsOf(one.text)
        .filter((path) => !pathExists(root, one.file, path))
        .map((path) => where(one, path)),
    );
    expect(faults).toEqual([]);
  });

  test("variables of job files, settings and environment variables", async () => {
    const jobs = await Promise.all((await list("nomad/**/*.nomad.hcl")).map(text));
    const sources = await list("*.ts", "*.tsx", "*.sh", "*.hcl", "*.ctmpl", "*.settings", "*.yaml", "scripts/*");
    const known = new Set((await Promise.all(sources.map(text))).flatMap(settingsOf));
    const faults = code.flatMap((one) => [
      ...jobVariablesOf(one.text)
        .filter((name) => !jobs.some((job) => job.includes(`variable "${name}"`)))
        .map((name) => where(one, `-var=${name}`)),
      ...settingsOf(one.text)
        .filter((name) => !known.has(name))
        .map((name) => where(one, name)),
    ]);
    expect(faults).toEqual([]);
  });
});

describe("references", () => {
  test("finds tasks with variables and flags", () => {
    expect(taskCallsOf("./scripts/task scale:shards N=3 -- --drain | tee x; task up")).toEqual([
      { task: "scale:shards", variables: ["N"], flags: ["--drain"] },
      { task: "up", variables: [], flags: [] },
    ]);
    expect(taskCallsOf("the scale:* tasks, task scale:*")).toEqual([]);
  });

  test("finds paths, job variables and settings", () => {
    expect(pathsOf("nomad job run nomad/data/redis.nomad.hcl && ./scripts/up >/dev/null; cat nomad/jobs/api")).toEqual([
      "nomad/data/redis.nomad.hcl",
      "scripts/up",
    ]);
    expect(jobVariablesOf("nomad job run -var=job=migrate -var=api_release=ADDRESS x")).toEqual(["job", "api_release"]);
    expect(settingsOf("WA_DURABILITY=copied PUBLIC_URL=$X_Y SHARD_TOKEN_<n> NAME")).toEqual([
      "WA_DURABILITY",
      "PUBLIC_URL",
    ]);
  });

  test("reads the blocks of one section, without their indentation", () => {
    const markdown = "## One\n\n1. a\n\n   ```sh\n   x <<END\n   y\n   END\n   ```\n\n## Two\n\n```json\n{}\n```\n";
    expect(blocksOf(sectionOf(markdown, "One"))).toEqual([{ language: "sh", line: 5, text: "x <<END\ny\nEND" }]);
    expect(blocksOf(markdown).map(({ language }) => language)).toEqual(["sh", "json"]);
    expect(blocksOf("2. ```sh\n   x\n   ```\n")).toEqual([{ language: "sh", line: 2, text: "x" }]);
    expect(() => blocksOf("text\n```sh\nx\n")).toThrow("The block in line 2 has no end.");
  });
});
