import { tmpdir } from "node:os";
import { join } from "node:path";
import { rm } from "node:fs/promises";
import { notChecked } from "../supply/audit.ts";
import { failedTests } from "./failed_tests.ts";

export type Tally = {
  passed: number;
  failed: number;
  /** Names of the failed tests and checks, each with the first line of its error. */
  failures: string[];
};

const root = join(import.meta.dir, "../..");

type Execution = { code: number; output: string };

/** Runs a command. Its output is passed on as it comes, or collected. */
async function execute(
  command: string[],
  { env = {}, cwd = root, collect = false }: { env?: Record<string, string>; cwd?: string; collect?: boolean } = {},
): Promise<Execution> {
  const out = collect ? "pipe" : "inherit";
  const child = Bun.spawn(command, {
    cwd,
    env: { ...process.env, ...env },
    stdout: out,
    stderr: out,
    stdin: "ignore",
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  try {
    const texts = [child.stdout, child.stderr].map((stream) => (stream ? new Response(stream).text() : ""));
    const [code, ...output] = await Promise.all([child.exited, ...texts]);
    return { code, output: output.join("") };
  } finally {
    process.off("SIGINT", forward).off("SIGTERM", forward);
  }
}

/**
 * Runs a check that is one command, with a low priority; exit code 0 passes. Shows the output of one that fails, or
 * that could not be made.
 */
async function check(title: string, command: string[]): Promise<Tally> {
  const start = performance.now();
  const { code, output } = await execute(["nice", "-n19", ...command], { collect: true });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (code === notChecked) {
    console.log(`? ${title}: not checked, ${output.trim()} (${seconds} s)`);
    return { passed: 0, failed: 0, failures: [] };
  }
  console.log(`${code === 0 ? "✓" : `${output.trim()}\n✗`} ${title} (${seconds} s)`);
  return code === 0 ? { passed: 1, failed: 0, failures: [] } : { passed: 0, failed: 1, failures: [title] };
}

/** Runs `bun test` and counts by its JUnit report, so that a crash of the runner counts as a failure. */
export async function bunTest(
  title: string,
  args: string[],
  options: { env?: Record<string, string>; cwd?: string } = {},
): Promise<Tally> {
  const report = join(tmpdir(), `prosaas-${process.pid}-${crypto.randomUUID()}.xml`);
  const command = ["bun", "test", "--only-failures", "--reporter=junit", `--reporter-outfile=${report}`, ...args];
  const { code } = await execute(command, options);
  const text = await Bun.file(report)
    .text()
    .catch(() => "");
  await rm(report, { force: true });
  const head = /<testsuites [^>]*?tests="(\d+)"[^>]*?failures="(\d+)"[^>]*?skipped="(\d+)"/.exec(text);
  const [tests, failures, skipped] = (head?.slice(1) ?? ["0", "0", "0"]).map(Number) as [number, number, number];
  const failed = code !== 0 && failures === 0 ? 1 : failures;
  console.log(`${failed === 0 ? "✓" : "✗"} ${title}: ${tests - failures - skipped} passed, ${failed} failed`);
  const crashed = code !== 0 && failures === 0 ? [`${title}: bun test ended with exit code ${code}`] : [];
  return { passed: tests - failures - skipped, failed, failures: [...failedTests(text), ...crashed] };
}

/** Runs the checks that need no server, side by side. */
export async function staticChecks(): Promise<Tally[]> {
  const jobs = await Array.fromAsync(new Bun.Glob("nomad/*/*.nomad.hcl").scan({ cwd: root }));
  return Promise.all([
    check("format", ["bun", "x", "oxfmt", "--check", "."]),
    check("lint and types", ["bun", "x", "oxlint", "--type-check"]),
    check("import boundaries", ["bun", "run", "scripts/testing/boundaries.ts"]),
    check("prose", ["bun", "run", "scripts/testing/prose.ts"]),
    check("repeated lines", ["bun", "run", "scripts/testing/repeats.ts"]),
    check("worker groups match the queue definitions", ["bun", "run", "scripts/testing/worker_groups.ts"]),
    check("lockfile", ["bun", "run", "scripts/supply/lock_rules.ts"]),
    check("licences", ["bun", "run", "scripts/supply/licences.ts", "--check"]),
    check("advisories", ["bun", "run", "scripts/supply/audit.ts"]),
    check("format of the job files", ["nomad", "fmt", "-check", "-recursive", "nomad"]),
    check("valid job files and settings", ["scripts/validate-job", ...jobs.toSorted()]),
  ]);
}
