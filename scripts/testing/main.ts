import { Argument } from "@commander-js/extra-typings";
import { commandLine } from "../cli/arguments.ts";
import { failedMark } from "./failed_tests.ts";
import { startServers } from "./servers.ts";
import { bunTest, staticChecks } from "./steps.ts";
import type { Tally } from "./steps.ts";

/** Processes that run integration files at the same time. The files mostly wait: two cores serve six processes. */
const processes = 6;

/**
 * Milliseconds until Bun's allocator returns freed memory to the system. By default a thread of each process does so
 * all the time, and the process gets the same memory back: 4 % of the CPU time of a run.
 */
const allocator = { mimalloc_purge_delay: "10000" };

/** Durations of the integration files, by which the slowest start first. --record writes it. */
const durations = "scripts/testing/durations.json";

const parts = ["static", "unit", "int", "e2e", "all"] as const;
const program = commandLine(
  "test",
  `Run the checks and tests.

  all      everything below: e2e and static beside the others, int after unit
  static   format, lint, import boundaries, prose, repeated lines, types, Nomad job files
  unit     *.test.ts: needs no server
  int      *.int.test.ts: against real Redis, PostgreSQL and Consul servers, started for the run
  e2e      *.e2e.test.ts: against a stack of its own, beside a running one`,
  "[PART] [PATTERN…]",
)
  .name("./scripts/test")
  .addArgument(new Argument("[part]", "part of the tests").choices(parts).default("all" as const))
  .argument("[patterns...]", "only test files whose path contains one of these (unit, int, e2e)")
  .option("--record", `write how long each integration file took to ${durations}`)
  .parse();
const [part, patterns] = program.processedArgs;
const { record = false } = program.opts();

// The running parts receive the signal too and end by themselves. Servers are stopped, and no further part starts.
let interrupted = false;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => (interrupted = true));

type Part = Exclude<typeof part, "all">;
const run: Record<Part, () => Promise<Tally[]>> = {
  static: staticChecks,
  unit: async () => [await bunTest("unit", ["--timeout=90000", ...patterns])],
  int: async () => {
    const servers = await startServers({ processes, bundles: true });
    try {
      if (interrupted) return [];
      // Without isolation the files of a process share its modules: compiling them again took half of the CPU time.
      const limits = [`--parallel=${processes}`, "--no-isolate", "--timeout=120000"];
      const order = [`--timings=${durations}`, ...(record ? ["--update-timings"] : [])];
      const files = ["--path-ignore-patterns=**/*.e2e.test.ts", ...(patterns.length > 0 ? patterns : [".int.test.ts"])];
      return [
        await bunTest("against real servers", [...limits, ...order, ...files], {
          env: { ...servers.env, ...allocator },
        }),
      ];
    } finally {
      await servers.stop();
    }
  },
  e2e: async () => {
    const files = ["--path-ignore-patterns=**/*.int.test.ts", ...(patterns.length > 0 ? patterns : [".e2e.test.ts"])];
    return [await bunTest("end to end", ["--timeout=600000", ...files])];
  },
};

/** Runs parts side by side. One that cannot run counts as a failure, and the others still end by themselves. */
async function together(...names: Part[]): Promise<Tally[]> {
  const results = names.map(async (name) => {
    try {
      return await run[name]();
    } catch (error) {
      console.error(error);
      return [{ passed: 0, failed: 1, failures: [`${name}: ${String(error)}`] }];
    }
  });
  return (await Promise.all(results)).flat();
}

/**
 * Runs everything so that two cores are busy. The stack starts beside the unit tests, because the integration tests
 * have time limits that its start would strain. The checks have a low priority: they use what the waiting integration
 * tests leave.
 */
async function all(): Promise<Tally[]> {
  const beside = together("e2e", "static");
  const unit = await together("unit");
  const integration = interrupted ? [] : await together("int");
  return [...unit, ...integration, ...(await beside)];
}

const tallies = part === "all" ? await all() : await together(part);

const total = tallies.reduce(
  (sum, { passed, failed }) => ({ passed: sum.passed + passed, failed: sum.failed + failed }),
  { passed: 0, failed: 0 },
);
// Last, so that the end of a log names them.
for (const failure of tallies.flatMap(({ failures }) => failures)) console.log(`${failedMark}${failure}`);
console.log(`${total.passed} passed, ${total.failed} failed`);
if (interrupted) console.log("Interrupted: the remaining tests did not run.");
process.exit(interrupted || total.failed > 0 || total.passed === 0 ? 1 : 0);
