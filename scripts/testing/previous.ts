import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AppError } from "../../lib/core/errors.ts";
import { createMigratedDatabase } from "../../lib/testing/database.ts";
import { commandLine } from "../cli/arguments.ts";
import { runProgram } from "../stack/program.ts";
import { startServers } from "./servers.ts";
import { bunTest } from "./steps.ts";

const root = join(import.meta.dir, "../..");

/** Files that make the schema: migrations, and the functions that each run of migrate replaces. */
const schemaFiles = ["lib/db/migrations/*.sql", "lib/db/*/*.sql"];

/** Tests of everything that services do with the database. */
const contract = ["lib/db/", "services/api/features/", "services/workers/"];

/** They describe the schema of their own commit. */
const ofTheSchema = ["lib/db/migrations/**", "lib/db/schema.int.test.ts", "**/*.e2e.test.ts"];

/** Fewer than a run of all tests has: these share servers, and nothing else runs beside them. */
const processes = 4;

const command = commandLine(
  "test:previous",
  `Run the integration tests of an earlier commit on the schema of this checkout.

A deploy migrates the schema first, so that services of the release before run on it until their turn
comes, and a rollback leaves it as it is. By default: the commit before the last change of the schema,
with its tests of the database, the API and the workers. Tests that describe a schema are left out.
Needs the history of the repository.`,
  "-- [OPTIONS] [PATTERN…]",
)
  .argument("[patterns...]", "only test files of that commit whose path contains one of these")
  .option("--from <commit>", "an earlier commit, such as that of the release that runs")
  .parse();
const [patterns] = command.processedArgs;
const { from } = command.opts();

async function git(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await runProgram(["git", ...args], { cwd: root });
  if (code !== 0) throw new AppError("unavailable", `git ${args[0]} failed: ${stderr.trim()}`);
  return stdout.trim();
}

/** The commit before the last one that changed the schema. */
async function beforeLastChange(): Promise<string> {
  const changed = await git("log", "-1", "--format=%H", "--", ...schemaFiles);
  if (changed === "")
    throw new AppError("not_found", "No commit of this history changes the schema: name one, --from.");
  return `${changed}^`;
}

const commit = await git("rev-parse", "--verify", `${from ?? (await beforeLastChange())}^{commit}`);
const folder = await mkdtemp(join(tmpdir(), "prosaas-previous-"));
const checkout = join(folder, "checkout");
let failed = 1;
try {
  await git("worktree", "add", "--quiet", "--detach", checkout, commit);
  await symlink(join(root, "node_modules"), join(checkout, "node_modules"));
  console.log(`Tests of ${await git("log", "-1", "--format=%h (%cs) %s", commit)}, on the schema of this checkout`);
  const servers = await startServers({ processes });
  try {
    // The tests of every commit copy this template, and make it only if it is missing.
    Object.assign(process.env, servers.env);
    await (await createMigratedDatabase()).close();
    const limits = [`--parallel=${processes}`, "--no-isolate", "--timeout=120000"];
    const without = ofTheSchema.map((pattern) => `--path-ignore-patterns=${pattern}`);
    const files = patterns.length > 0 ? patterns : contract;
    const chosen = await Array.fromAsync(new Bun.Glob("{lib,services}/**/*.int.test.ts").scan({ cwd: checkout }));
    const wanted = chosen.filter((path) => files.some((part) => path.includes(part)));
    const tally = await bunTest(`${commit.slice(0, 10)} on this schema`, [...limits, ...without, ...wanted], {
      env: servers.env,
      cwd: checkout,
    });
    for (const failure of tally.failures) console.log(failure);
    failed = tally.passed === 0 ? 1 : tally.failed;
  } finally {
    await servers.stop();
  }
} finally {
  await git("worktree", "remove", "--force", checkout).catch(() => {});
  await rm(folder, { recursive: true, force: true });
}
process.exit(failed > 0 ? 1 : 0);
