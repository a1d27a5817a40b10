import { Argument } from "@commander-js/extra-typings";
import { commandLine } from "../cli/arguments.ts";
import { startServers } from "./servers.ts";
import { bunTest, staticChecks } from "./steps.ts";
import type { Tally } from "./steps.ts";

/** Processes that run integration files at the same time. The files mostly wait: two cores serve four processes. */
const processes = 4;

const parts = ["static", "unit", "int", "e2e", "all"] as const;
const [part, patterns] = commandLine(
  "test",
  `Run the checks and tests.

  all      everything below, in this order
  static   format, lint, import boundaries, prose, types, Nomad job files
  unit     *.test.ts: needs no server
  int      *.int.test.ts: against real Redis, PostgreSQL and Consul servers, started for the run
  e2e      *.e2e.test.ts: against a stack of its own, beside a running one`,
  "[PART] [PATTERN…]",
)
  .name("./scripts/test")
  .addArgument(new Argument("[part]", "part of the tests").choices(parts).default("all" as const))
  .argument("[patterns...]", "only test files whose path contains one of these (unit, int, e2e)")
  .parse().processedArgs;

// The running part receives the signal too and ends by itself. Its servers are stopped, and no further part starts.
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (interrupted = true));

const wants = (name: string) => !interrupted && (part === "all" || part === name);
const tallies: Tally[] = [];

if (wants("static")) tallies.push(...(await staticChecks()));
if (wants("unit")) tallies.push(await bunTest("unit", ["--timeout=15000", ...patterns]));
if (wants("int")) {
  const servers = await startServers({ processes });
  try {
    const files = patterns.length > 0 ? patterns : [".int.test.ts"];
    tallies.push(
      await bunTest(
        "against real servers",
        ["--path-ignore-patterns=**/*.e2e.test.ts", `--parallel=${processes}`, "--timeout=120000", ...files],
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
if (interrupted) console.log("Interrupted: the remaining tests did not run.");
process.exit(interrupted || total.failed > 0 || total.passed === 0 ? 1 : 0);
