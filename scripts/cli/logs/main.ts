import { once } from "node:events";
import { Option } from "@commander-js/extra-typings";
import { messageOf } from "../../../lib/core/errors.ts";
import { sleep } from "../../../lib/core/time.ts";
import { createNomad } from "../../stack/nomad.ts";
import { commandLine } from "../arguments.ts";
import { readNomadAddress } from "../operator/stack.ts";
import { chooseSources } from "./choose.ts";
import type { ChosenSource, LoggedAllocation } from "./choose.ts";
import type { Entry } from "./entry.ts";
import { parseAge, parseLevel, passes } from "./filter.ts";
import type { Filter } from "./filter.ts";
import { describeEntry, jsonOf } from "./format.ts";
import { Merge } from "./merge.ts";
import { nomadReader, openEntries } from "./open.ts";

const command = commandLine(
  "logs",
  `Print the logs of all allocations of services, merged by time.

A service is a job (api), or a group of one (workers/high); all by default. Allocations that ended
are read, too. Lines that are not JSON keep their order. Those without a level pass --level only if
they are on the standard error.`,
  "-- [SERVICE…] [OPTIONS]",
)
  .argument("[services...]")
  .option("--request-id <id>", "only lines that contain the id of a request (x-request-id) or of a trace")
  .option("--business <id>", "only lines that contain the id of a business")
  .addOption(
    new Option("--since <age>", "lines of the last 30s, 10m, 2h or 1d")
      .argParser(parseAge)
      .default(parseAge("10m"), "10m"),
  )
  .option("--level <level>", "only lines of this level or above: trace, debug, info, warn, error", parseLevel)
  .option("-f, --follow", "go on with new lines, also of new allocations", false)
  .option("--json", "print each line as a JSON object with its allocation", false)
  .parse();
const { requestId, business, since: age, level, follow, json } = command.opts();

const filter: Filter = {
  since: Date.now() - age,
  level,
  texts: [requestId, business].filter((text) => text !== undefined),
};

/** Lines reach a follower within this time, in the order of their times. */
const holdMs = 500;
/** Between two looks for new allocations. */
const lookEveryMs = 2_000;

const address = await readNomadAddress();
const nomad = createNomad(address);
const reader = nomadReader(address);
const keyOf = ({ allocation, task, stream }: ChosenSource) => `${allocation} ${task} ${stream}`;
const known = new Set<string>();
/** The time of the last line of each log. */
const lastSeen = new Map<string, number>();
/** Logs whose failure was reported. */
const broken = new Set<string>();
let failed = 0;

const merged = new Merge<Entry>({
  holdMs: follow ? holdMs : Number.POSITIVE_INFINITY,
  onError: (error) => report("a log broke off", error),
});

function report(what: string, error: unknown): void {
  failed += 1;
  console.error(`${what}: ${messageOf(error)}`);
}

/** Adds the logs of allocations that are not read yet. */
async function addNew(): Promise<void> {
  const all = await nomad<LoggedAllocation[]>("GET", "/v1/allocations");
  const added = chooseSources(all, { services: command.args, since: filter.since }).filter(
    (source) => !known.has(keyOf(source)),
  );
  for (const source of added) known.add(keyOf(source));
  for (const source of added) merged.add(entriesSince(source));
}

/** A running task's log that breaks off, as with its agent, is opened again at the next look, where it ended. */
async function* entriesSince(source: ChosenSource): AsyncGenerator<Entry> {
  const key = keyOf(source);
  const seen = lastSeen.get(key);
  const since = Math.max(filter.since, seen ?? 0);
  try {
    for await (const entry of openEntries(reader, source, { since, follow: follow && source.isRunning })) {
      if (seen !== undefined && entry.at <= seen) continue;
      yield entry;
      lastSeen.set(key, entry.at);
    }
  } catch (error) {
    if (!broken.has(key)) report(`${source.stream} of ${source.name} could not be read`, error);
    broken.add(key);
  } finally {
    if (follow && source.isRunning) known.delete(key);
  }
}

async function addForEver(): Promise<never> {
  for (;;) {
    await sleep(lookEveryMs);
    await addNew().catch((error: unknown) => report("new allocations could not be looked for", error));
  }
}

// A reader such as head that has enough.
process.stdout.once("error", () => process.exit(0));

await addNew();
if (follow) void addForEver();
else merged.end();
let printed = 0;
for await (const entry of merged) {
  if (!passes(filter, entry)) continue;
  printed += 1;
  const isTaken = process.stdout.write(`${json ? jsonOf(entry) : describeEntry(entry)}\n`);
  if (!isTaken) await once(process.stdout, "drain");
}
if (printed === 0) console.error("No line matches; --since and --level widen the search.");
process.exitCode = failed > 0 ? 1 : 0;
