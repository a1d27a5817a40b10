import { tmpdir } from "node:os";
import { join } from "node:path";
import { rm } from "node:fs/promises";

export type Tally = { passed: number; failed: number };

const root = join(import.meta.dir, "../..");

async function execute(command: string[], env: Record<string, string> = {}): Promise<number> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, ...env },
    stdout: "inherit",
    stderr: "inherit",
    stdin: "ignore",
  });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on("SIGINT", forward).on("SIGTERM", forward);
  try {
    return await child.exited;
  } finally {
    process.off("SIGINT", forward).off("SIGTERM", forward);
  }
}

/** Runs a check that is one command; exit code 0 passes. */
export async function check(title: string, command: string[]): Promise<Tally> {
  const start = performance.now();
  const code = await execute(command);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${code === 0 ? "✓" : "✗"} ${title} (${seconds} s)`);
  return code === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

/** Runs `bun test` and counts by its JUnit report, so that a crash of the runner counts as a failure. */
export async function bunTest(title: string, args: string[], env: Record<string, string> = {}): Promise<Tally> {
  const report = join(tmpdir(), `prosaas-${process.pid}-${crypto.randomUUID()}.xml`);
  const code = await execute(
    ["bun", "test", "--only-failures", "--reporter=junit", `--reporter-outfile=${report}`, ...args],
    env,
  );
  const text = await Bun.file(report)
    .text()
    .catch(() => "");
  await rm(report, { force: true });
  const head = /<testsuites [^>]*?tests="(\d+)"[^>]*?failures="(\d+)"[^>]*?skipped="(\d+)"/.exec(text);
  const [tests, failures, skipped] = (head?.slice(1) ?? ["0", "0", "0"]).map(Number) as [number, number, number];
  const failed = code !== 0 && failures === 0 ? 1 : failures;
  console.log(`${failed === 0 ? "✓" : "✗"} ${title}: ${tests - failures - skipped} passed, ${failed} failed`);
  return { passed: tests - failures - skipped, failed };
}

/** Runs the checks that need no server. */
export async function staticChecks(): Promise<Tally[]> {
  const jobs = await Array.fromAsync(new Bun.Glob("nomad/*/*.nomad.hcl").scan({ cwd: root }));
  const tallies = [
    await check("format", ["bun", "x", "oxfmt", "--check", "."]),
    await check("lint", ["bun", "x", "oxlint"]),
    await check("import boundaries", ["bun", "run", "scripts/testing/boundaries.ts"]),
    await check("prose", ["bun", "run", "scripts/testing/prose.ts"]),
    await check("types", ["bun", "x", "tsc", "--noEmit"]),
    await check("worker groups match the queue definitions", ["bun", "run", "scripts/testing/worker_groups.ts"]),
    await check("format of the job files", ["nomad", "fmt", "-check", "-recursive", "nomad"]),
  ];
  tallies.push(await check("valid job files and settings", ["scripts/validate-job", ...jobs.toSorted()]));
  return tallies;
}
