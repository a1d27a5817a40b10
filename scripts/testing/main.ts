import { readArguments, wrongArguments } from "../cli/operator/command_line.ts";
import { startServers } from "./servers.ts";
import { bunTest, staticChecks } from "./steps.ts";
import type { Tally } from "./steps.ts";

const usage = `Usage: ./scripts/test [static|unit|int|e2e|all] [PATTERN…]

  all      everything, in this order (the default)
  static   format, lint, types, Nomad job files
  unit     *.test.ts: no server
  int      *.int.test.ts: against real Redis, PostgreSQL and Consul, started for it
  e2e      *.e2e.test.ts: a whole stack of its own, beside a running one
  PATTERN  only test files whose path contains it (unit, int, e2e)`;

const { positionals } = readArguments(usage, { help: { type: "boolean", short: "h" } }, Number.POSITIVE_INFINITY);
const [part = "all", ...patterns] = positionals;
if (!["all", "static", "unit", "int", "e2e"].includes(part)) wrongArguments(`"${part}" is no part of the tests`, usage);

// The part that runs is passed the signal and ends by itself; its servers are stopped, and no other part begins.
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (interrupted = true));

const wants = (name: string) => !interrupted && (part === "all" || part === name);
const tallies: Tally[] = [];

if (wants("static")) tallies.push(...(await staticChecks()));
if (wants("unit")) tallies.push(await bunTest("unit", ["--timeout=15000", ...patterns]));
if (wants("int")) {
  const servers = await startServers();
  try {
    const files = patterns.length > 0 ? patterns : [".int.test.ts"];
    tallies.push(
      await bunTest(
        "against real servers",
        ["--path-ignore-patterns=**/*.e2e.test.ts", "--parallel=2", "--timeout=60000", ...files],
        servers.env,
      ),
    );
  } finally {
    await servers.stop();
  }
}
if (wants("e2e")) {
  const files = patterns.length > 0 ? patterns : [".e2e.test.ts"];
  tallies.push(await bunTest("end to end", ["--path-ignore-patterns=**/*.int.test.ts", "--timeout=600000", ...files]));
}

const total = tallies.reduce(
  (sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
  {
    passed: 0,
    failed: 0,
  },
);
console.log(`${total.passed} passed, ${total.failed} failed`);
if (interrupted) console.log("Interrupted: what came after was not run.");
process.exit(interrupted || total.failed > 0 || total.passed === 0 ? 1 : 0);
